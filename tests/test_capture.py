"""Which steps are captured, and what is said of those that cannot be; without a GPU, on a graph that only counts."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from ganzoo.train import capture as module
from ganzoo.train.capture import GRAPHS, PATIENCE, WARM_UP, Capture

DEVICE = torch.device("cuda", 0)


class Graph:
    """A graph whose replays are counted."""

    def __init__(self) -> None:
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1


class Stream:
    """A stream that is always ready."""

    def __init__(self, device=None) -> None: ...

    def wait_stream(self, other) -> None: ...


@contextmanager
def nothing(*_, **__):
    yield


@pytest.fixture
def told(monkeypatch) -> list[str]:
    """Put stand-ins in place of CUDA, and return what is told of steps that are not captured."""
    stand_ins = {
        "Stream": Stream, "CUDAGraph": Graph, "stream": nothing, "graph": nothing, "graph_pool_handle": object,
        "current_stream": Stream, "default_stream": Stream, "default_generators": [torch.Generator()],
    }  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(module.torch.cuda, name, stand_in)
    monkeypatch.setattr(module.torch._C, "_cuda_endAllocateToPool", ended, raising=False)
    return []


def ended(device, pool):
    raise RuntimeError("not currently recording to mempool_id")


def played(told: list[str], steps: int, decide, act=lambda number: None) -> tuple[Capture, list[int]]:
    """Carry out steps, and return which of them were played eagerly."""
    capture, eager = Capture([], DEVICE, told.append), []
    for number in range(steps):

        def play(known, number=number):
            if type(known) is int:
                eager.append(number)
            act(known)

        capture(play, number, lambda number=number: decide(number))
    return capture, eager


@pytest.mark.parametrize("shared", [False, True])
def test_a_run_with_a_stream_of_its_own_is_captured_on_it(told, monkeypatch, shared):
    """PyTorch's streams are 32: two for each of many runs side by side would be other runs', too."""
    default, own = Stream(), Stream()
    monkeypatch.setattr(module.torch.cuda, "default_stream", lambda device: default)
    monkeypatch.setattr(module.torch.cuda, "current_stream", lambda device: own if shared else default)
    stream = Capture([], DEVICE, told.append).stream
    assert stream is own if shared else stream not in (own, default)


def test_a_step_is_captured_after_its_first_ones(told):
    capture, eager = played(told, 10, lambda number: (("lr", "0.1"),))
    assert eager == list(range(WARM_UP)) and told == []
    assert [graph.replays for graph in capture.graphs.values()] == [10 - WARM_UP]


def test_steps_with_different_choices_are_different_graphs(told):
    """As with a lazy penalty, due in every fourth step."""
    capture, eager = played(told, 20, lambda number: (("r1.due", str(number % 4 == 0)),))
    assert eager == [0, 1, 2, 4]
    assert {choices[0][1]: graph.replays for choices, graph in capture.graphs.items()} == {"True": 3, "False": 13}


def test_of_graphs_that_are_used_no_more_few_are_kept(told):
    capture, _ = played(told, 60, lambda number: (("top-k.share", str(number // 5)),))
    assert len(capture.graphs) == GRAPHS and told == []


def test_what_changes_in_every_step_is_named_and_captured_when_it_has_settled(told):
    """As R3GAN's schedule does, whose rates stay after a while."""
    capture, eager = played(
        told, PATIENCE + 20, lambda number: (("average.half_life", str(min(number, PATIENCE + 5))),)
    )
    assert eager == list(range(PATIENCE + 5 + WARM_UP))
    assert [graph.replays for graph in capture.graphs.values()] == [20 - 5 - WARM_UP]
    assert told == ["steps are not captured while average.half_life changes from one to the next"]


def test_a_step_that_changes_what_python_decides_is_never_captured(told):
    """A phase that comes round again would look like a choice, and a graph would not move it on."""
    phase = [0]

    def move(number):
        phase[0] = (phase[0] + 1) % 2

    capture, eager = played(told, 30, lambda number: (("mine.phase", str(phase[0])),), move)
    assert len(eager) == 30 and not capture.graphs
    assert told == ["steps are not captured: mine.phase changes within a step; change it in place, or in schedule()"]


def test_a_first_step_may_still_move_things_to_their_place(told):
    place = ["cpu"]

    def move(number):
        place[0] = "cuda"

    _, eager = played(told, 9, lambda number: (("noise.sd", place[0]),), move)
    assert eager == list(range(1 + WARM_UP)) and told == []


class Generator:
    """A generator whose states can be exchanged, as those of a GPU."""

    def __init__(self, device=None) -> None:
        self.state = 0

    def get_state(self):
        return self.state

    def set_state(self, state):
        self.state = state

    def graphsafe_set_state(self, other):
        self.state = other.state


@pytest.fixture
def generators(monkeypatch):
    monkeypatch.setattr(module.torch, "Generator", Generator)
    monkeypatch.setattr(module.torch.cuda, "default_generators", [Generator()])


def ask(number):
    assert number % 2 < 2


@pytest.mark.usefixtures("generators")
def test_a_step_that_fails_in_capture_is_played_and_the_reason_told(told):
    capture, eager = played(told, 9, lambda number: (), ask)
    assert len(eager) == 9 and not capture.graphs
    assert len(told) == 1 and "decide by it in schedule()" in told[0]


@pytest.mark.usefixtures("generators")
def test_a_capture_that_cannot_even_be_ended_leaves_stream_and_allocator_as_they_were(told, monkeypatch):
    """As PyTorch 2.11 does: its context manager raises before it leaves the stream, and its allocator goes on."""
    streams, allocator = ["the run's"], []

    @contextmanager
    def stream(one):
        before = streams[-1]
        streams.append(one)
        try:
            yield
        finally:
            streams.append(before)

    @contextmanager
    def graph(graph, pool, one, capture_error_mode):
        streams.append(one)
        try:
            yield
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(module.torch.cuda, "stream", stream)
    monkeypatch.setattr(module.torch.cuda, "graph", graph)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(
            module.torch._C, name, lambda *given, name=name: allocator.append((name, *given)), raising=False
        )
    capture, eager = played(told, 9, lambda number: (), ask)
    assert len(eager) == 9 and streams[-1] == "the run's"
    assert allocator == [(name, 0, capture.pool) for name in ("_cuda_endAllocateToPool", "_cuda_releasePool")]
    assert len(told) == 1 and "decide by it in schedule()" in told[0]
