"""On a GPU: captured steps give the numbers of eager ones, resume, and fall back with a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from equality import JOINED, LOSSES, STATEFUL, difference, made, trained
from torch import nn

import ganzoo
from ganzoo.api import Images, NoParams, Trick
from ganzoo.data.batches import Batches
from ganzoo.engine.crew import Crew, TurnContext
from ganzoo.engine.messages import Event, Options, Task
from ganzoo.planning.run import Run
from ganzoo.train import passes
from ganzoo.train.execution import EAGER, Execution
from ganzoo.train.optimizer import CompiledAdam
from ganzoo.zoo.tricks.hflip import HFlip

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
CUDA = torch.device("cuda", 0)
GRAPH = Execution(graph=True)
TRICKS = [
    *STATEFUL,
    *("top-k:epoch=200", "minibatch-discrimination", "instance-noise", "unrolled:steps=1", "consistency", "packing"),
    *("projection", "virtual-batch-norm:reference=8", "historical-averaging", "feature-matching", "lr-decay", "r2"),
]


double = pytest.mark.usefixtures("double")


def captured(**request):
    one = made(GRAPH, CUDA, pytest.fail, **request)
    found = trained(one)
    assert one.capture is not None and one.capture.graphs and one.capture.played < len(found)
    return found


@double
@pytest.mark.parametrize("loss", LOSSES)
def test_a_graph_gives_every_loss_the_numbers_of_eager(loss):
    assert difference(trained(made(EAGER, CUDA, loss=loss)), captured(loss=loss)) < 1e-5


@double
@pytest.mark.parametrize("trick", TRICKS)
def test_a_graph_gives_tricks_the_numbers_of_eager(trick):
    assert difference(trained(made(EAGER, CUDA, trick=trick)), captured(trick=trick)) < 1e-5


@double
@pytest.mark.parametrize("model", ["resnet:width=8,critic_width=8", "sagan:width=8,critic_width=8", "sndcgan"])
def test_a_graph_gives_architectures_the_numbers_of_eager(model):
    request = {"model": model, "loss": "hinge", "trick": "spectral-norm"}
    assert difference(trained(made(EAGER, CUDA, **request)), captured(**request)) < 1e-5


RESNET = {"model": "resnet:width=8,critic_width=8", "loss": "hinge", "trick": "spectral-norm"}


@double
@pytest.mark.filterwarnings("ignore")  # what PyTorch warns of where it compiles
@pytest.mark.parametrize("request_", [{"loss": "wgan-gp"}, JOINED, RESNET, {**RESNET, **JOINED}])
def test_compiled_and_captured_networks_give_the_numbers_of_eager(request_):
    torch._dynamo.reset()
    one = made(replace(GRAPH, compiled=True), CUDA, pytest.fail, **request_)
    assert difference(trained(made(EAGER, CUDA, **request_)), trained(one)) < 1e-5
    assert one.capture is not None and one.capture.graphs
    assert all(isinstance(optimizer, CompiledAdam) for optimizer in one.optimizers.values())


@pytest.mark.filterwarnings("ignore")
def test_compiled_products_in_bfloat16_are_those_of_float32_but_for_rounding():
    """Of convolutions with channels filled up to eight, or as products, and of a single column."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 12, 4, 2, 1), nn.ConvTranspose2d(12, 16, 4, 2, 1), nn.Conv2d(16, 24, 4, 2, 1)]
    layers += [nn.ConvTranspose2d(24, 3, 4, 2, 1), nn.Conv2d(3, 16, 3, 1, 1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(16**3, 1)).to(CUDA, memory_format=torch.channels_last)
    x = torch.randn(8, 3, 16, 16, device=CUDA, requires_grad=True)

    def carried_out(function):
        y = function(x)
        return y, *torch.autograd.grad(y.sum(), (x, *network.parameters()))

    wanted = carried_out(network)
    with torch.autocast("cuda", torch.bfloat16):
        found = carried_out(passes.compiled(network))
    errors = [((a - b).norm() / b.norm()).item() for a, b in zip(found, wanted, strict=True)]
    assert max(errors) < 0.05  # of five layers, one of which sums what is rounded


def test_bfloat16_graphs_start_as_bfloat16_without():
    eager = trained(made(Execution(channels_last=True, precision="bf16"), CUDA), 5)
    graph = trained(made(Execution(graph=True, channels_last=True, precision="bf16"), CUDA, pytest.fail), 5)
    assert difference(eager, graph) < 1e-2


def crew(folder: Path, *runs: Run) -> list[Path]:
    """Carry runs out in one process, and return their folders."""
    folders = [folder / f"{run.combination}-{run.seed}" for run in runs]
    for one in folders:
        one.mkdir(parents=True)
    options = Options(device="cuda", data_root="", cache=str(folder / "cache"))
    told: list[Event] = []
    Crew(Task(kind="run", runs=runs, folders=tuple(map(str, folders)), options=options), told.append, bool).carry_out()
    assert [event.text for event in told if event.kind in ("error", "note")] == []
    return folders


def test_runs_that_share_a_gpu_end_as_they_do_alone(tmp_path, monkeypatch):
    """Dropout draws from PyTorch's own generator, of which every run has its own state.

    One has more samples to draw, so that it is scored while the others are captured, and captured beside their replays.
    """
    monkeypatch.setattr(HFlip, "augment", lambda self, images, rng: torch.nn.functional.dropout(images, 0.3))
    request = {"model": "mlp", "loss": "bce", "trick": "hflip", "recipe": {"steps": 12, "batch_size": 8}}
    runs = ganzoo.plan(seeds=2, evaluations=1, samples=20, **request).runs
    runs += ganzoo.plan(seeds=[2], evaluations=2, samples=1100, **request).runs
    together = crew(tmp_path / "together", *runs)
    alone = [folder for run in runs for folder in crew(tmp_path / f"alone {run.seed}", run)]
    for one, two in zip(together, alone, strict=True):
        for name in ("generator-last.safetensors", "metrics.jsonl", "samples.png"):
            assert (one / name).read_bytes() == (two / name).read_bytes()


def test_an_epochs_order_is_there_when_it_is_used():
    """It is copied without waiting, from memory that the next one may get, while the GPU has other work."""
    images = Images(torch.zeros(2**20, 1, 1, 1, dtype=torch.uint8).numpy(), None)
    busy = torch.randn(4096, 4096, device=CUDA)
    chosen = {}
    for device in (CUDA, torch.device("cpu")):
        batches = Batches(images, 2**16, 0, device)
        chosen[device.type] = []
        for _ in range(64):  # four epochs
            batches.fetch(1)
            chosen[device.type].append(batches.next().clone())
            _ = busy @ busy
    assert torch.equal(torch.stack(chosen["cuda"]).cpu(), torch.stack(chosen["cpu"]))


@double
def test_a_run_resumes_within_graph_mode():
    request = {"trick": "ema,ada:images=2000,r1:interval=4"}
    whole = trained(made(GRAPH, CUDA, **request), 20)
    one, two = made(GRAPH, CUDA, **request), made(GRAPH, CUDA, **request)
    trained(one, 10)
    trained(two, 5)  # what was captured then is no use afterwards
    two.load_state_dict(one.state_dict())
    assert difference(whole[10:], trained(two, 10)) < 1e-5


class Reads(Trick[NoParams]):
    """Waits for the device, which a captured step cannot."""

    def augment(self, images, rng):
        return images * (1 + 0 * torch.rand(1, generator=rng, device=rng.device).item())


class Counts(Trick[NoParams]):
    """Decides by the number of the step in a place where a captured one does not know it."""

    def after_step(self, player, networks, number):
        assert number % 3 < 3


class Keeps(Trick[NoParams]):
    """Puts a new tensor in place of its state, which a graph would never see."""

    last = None

    def discriminator(self, step):
        previous, self.last = self.last, step.judge(step.real).logits.detach().mean()
        return {} if previous is None else {"drift": 0 * previous}


@double
@pytest.mark.parametrize(
    ("trick", "reason"),
    [(Reads, "captur"), (Counts, "decide by it in schedule"), (Keeps, "keeps.last changes within a step")],
)
def test_a_step_that_cannot_be_captured_says_why_and_goes_on_as_if_it_had_not_been_tried(trick, reason):
    told: list[str] = []
    eager, graph = made(EAGER, CUDA), made(GRAPH, CUDA, told.append)
    for one in (eager, graph):
        one.game.tricks.append((trick.__name__.lower(), trick(NoParams())))
    assert difference(trained(eager, 60), trained(graph, 60)) < 1e-5
    assert len(told) == 1 and reason in told[0]


def test_a_run_that_cannot_be_captured_keeps_no_other_of_its_process_from_it():
    """PyTorch 2.11 leaves its allocator and the current stream in a capture that failed."""
    told: list[str] = []
    before = torch.cuda.current_stream()
    broken, whole = made(GRAPH, CUDA, told.append), made(GRAPH, CUDA, pytest.fail)
    broken.game.tricks.append(("reads", Reads(NoParams())))
    trained(broken, 5)
    assert len(told) == 1 and torch.cuda.current_stream() == before
    trained(whole, 5)
    assert whole.capture is not None and whole.capture.graphs
    torch.cuda.empty_cache()


def test_many_runs_side_by_side_have_a_stream_each():
    """PyTorch has 32, and cuBLAS a workspace a stream: what shares one must not run at the same time."""
    places = [TurnContext(Options(device="cuda", data_root="", cache="")) for _ in range(24)]
    for place in places:
        with place.entered():
            capture = made(GRAPH, CUDA, model="mlp").capture
        assert capture is not None and capture.stream == place.stream
    assert len({place.stream.cuda_stream for place in places}) == len(places)
