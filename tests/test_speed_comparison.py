"""The comparison of speeds takes in the packages that are installed and names those that are not."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from zoo import networks

import ganzoo
from ganzoo.api import Images, Setting
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import Trainer
from ganzoo.zoo.architectures.dcgan import build
from ganzoo.zoo.specs.architectures.convolutional import DCGANParams

HERE = Path(__file__).parent.parent / "benchmarks" / "speed"


@pytest.fixture
def modules(monkeypatch):
    """Return the comparison's modules: of the packages, and of the loop that tutorials teach."""
    monkeypatch.syspath_prepend(str(HERE))
    import peers
    import tutorial

    return peers, tutorial


def around(tutorial, loss: str):
    made = build(DCGANParams(width=8), Setting((3, 32, 32)))
    pixels = np.zeros((8, 3, 32, 32), dtype=np.uint8)
    return lambda: tutorial.Tutorial(made, loss, 1, 4, pixels, torch.device("cpu"))


def test_packages_that_are_missing_are_left_out_and_named(modules, monkeypatch, capsys):
    peers, tutorial = modules
    monkeypatch.setitem(sys.modules, "torchgan", None)
    monkeypatch.setitem(sys.modules, "torchgan.losses", None)
    monkeypatch.setitem(sys.modules, "torch_mimicry", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert peers.peers(around(tutorial, "bce"), "bce") == {}
    said = capsys.readouterr().err
    assert all(f"{name} is left out" in said and "README.md" in said for name in ("torchgan", "mimicry"))


@pytest.mark.parametrize("loss", ["bce", "hinge", "wgan-gp"])
@pytest.mark.parametrize(("name", "package"), [("torchgan", "torchgan"), ("mimicry", "torch_mimicry")])
@pytest.mark.filterwarnings("ignore")
def test_each_package_trains_both_networks(modules, name, package, loss):
    pytest.importorskip("tensorboard")
    if not [path for path in sys.path if (Path(path) / package).is_dir()]:
        pytest.skip(f"{package} is not installed")
    peers, tutorial = modules
    like = around(tutorial, loss)()
    before = [weight.clone() for part in (like.generator, like.body) for weight in part.parameters()]
    peers.PEERS[name](like, loss).step()
    after = [weight for part in (like.generator, like.body) for weight in part.parameters()]
    assert all(not torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_the_loop_has_networks_as_they_are_taught(modules):
    """ganzoo's resnet carries some layers out two at a time: the same images and logits, of fewer operations."""
    _, tutorial = modules
    ours = networks("resnet", Setting((3, 32, 32)), width=8, critic_width=8)
    z, counted, found = torch.randn(2, 128), [], []
    for change in (lambda made: None, tutorial.as_taught):
        change(ours)
        with FlopCounterMode(display=False) as counter:
            images = ours.generator(z, None)
            found.append((images, ours.body(images)))
        counted.append(counter.get_total_flops())
    assert counted[1] > 1.3 * counted[0]
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.fixture
def measure(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import measure

    return measure


def test_ganzoo_takes_part_in_each_mode_of_the_device_also_where_it_computes_less(measure):
    cpu = measure.ways(torch.device("cpu"), ("",))
    assert [name for name, way in cpu.items() if way.joined] == [
        f"fast, {p}{measure.JOINED}" for p in ("float32", "bfloat16")
    ]
    assert not any(way.execution.graph for way in cpu.values())
    several = measure.ways(torch.device("cuda"), ("eager", "compiled"), ("graph", "compiled"))
    assert list(several) == ["compiled, bfloat16", f"compiled, bfloat16{measure.JOINED}", "compiled, TF32"]
    assert list(measure.ways(torch.device("cuda"), ("compiled bfloat16",))) == list(several)[:2]


def test_a_gpu_is_waited_for_seldom_and_measured_for_about_the_time(measure, monkeypatch):
    import instruments

    clock, waits = [0.0], []

    class Run:
        def step(self):
            clock[0] += 0.001

    monkeypatch.setattr(instruments, "synchronise", waits.append)
    monkeypatch.setattr(instruments.time, "perf_counter", lambda: clock[0])
    assert instruments.steps_a_second(Run(), 0.4, torch.device("cuda", 0)) == pytest.approx(1000)
    assert len(waits) == 6 and 0.4 < clock[0] < 0.41


def test_one_process_tunes_at_a_time(measure, monkeypatch, tmp_path):
    import instruments
    from torch._inductor.runtime.triton_heuristics import CachingAutotuner

    def free() -> bool:
        with (tmp_path / "tuning").open("w") as file:  # as another process would open it
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def tuned(self, choice):
        assert not free()
        if choice == "none":
            raise ValueError(choice)
        return choice

    monkeypatch.setattr(CachingAutotuner, "benchmark_all_configs", tuned)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    instruments.tune_alone(str(tmp_path / "tuning"))
    one = object.__new__(CachingAutotuner)
    assert free() and one.benchmark_all_configs("best") == "best" and free()
    with pytest.raises(ValueError, match="none"):
        one.benchmark_all_configs("none")
    assert free()


def test_what_is_warm_when_it_is_interrupted_is_measured_all_the_same(measure, capsys):
    seen: list[str] = []

    def speed(key):
        seen.append(key)
        if key == "slow":
            raise KeyboardInterrupt
        return float(len(seen))

    found = dict.fromkeys(("loop", "quick", "slow", "later"))
    assert measure.in_turn(found, speed, 2, measure.Turn("")) == {"loop": [4.0, 6.0], "quick": [5.0, 7.0]}
    assert list(found) == ["loop", "quick"] and "left out: slow, later" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        measure.in_turn({"slow": None}, speed, 2, measure.Turn(""))


def test_whose_time_is_up_when_it_is_warm_measures_all_the_same(measure, tmp_path):
    """The others may still be getting warm: it is for these that the time is up."""
    calls: list[str] = []

    def speed(key):
        calls.append(key)
        if len(calls) > 1:
            os.kill(os.getpid(), signal.SIGINT)
        return float(len(calls))

    turn, before = measure.Turn(str(tmp_path / "turn")), signal.getsignal(signal.SIGINT)
    turn.share()
    try:
        assert measure.in_turn({"loop": None}, speed, 2, turn) == {"loop": [2.0, 3.0]}
    except KeyboardInterrupt:
        pytest.fail("it was interrupted")
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(turn.lock)


def test_each_measures_alone_once_all_are_warm(measure, tmp_path):
    turns = [measure.Turn(str(tmp_path / "turn")) for _ in range(2)]
    order: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number, turn=turn: (turn.take(), order.append(number)), daemon=True)
        for number, turn in enumerate(turns)
    ]
    for turn in turns:
        turn.share()
    threads[0].start()
    threads[0].join(0.2)
    assert order == []  # the other gets warm
    threads[1].start()
    for thread in threads:
        thread.join(0.5)
    assert len(order) == 1  # the other measures when this one has ended
    os.close(turns[order[0]].lock)
    for thread in threads:
        thread.join(5)
    assert sorted(order) == [0, 1]


def test_of_the_memory_that_is_measured_little_is_for_terms(measure, monkeypatch):
    import growth

    made: list[tuple] = []
    monkeypatch.setattr(growth, "Trainer", lambda *given: made.append(given))
    monkeypatch.setattr(growth, "measured", lambda *given: (1.0, 0.0))
    growth.of_side(32, torch.device("cuda"), "tf32", 1.0)
    (rows,) = [one for one in made[0] if isinstance(one, int)]
    assert 10_000 < rows < 50_000


def test_the_operators_that_take_most_come_first(measure):
    class Step:
        def step(self):
            torch.ones(300, 300) @ torch.ones(300, 300)

    table = measure.kernels("a step", Step(), torch.device("cpu"), 2).splitlines()
    assert table[0].startswith("a step: ") and "operators a step" in table[0]
    assert table[4].startswith("| `aten::mm` | 1.0 |") and len(table) == 6


@pytest.mark.filterwarnings("ignore")  # the compiler looks at gradients
def test_what_a_step_would_be_on_a_gpu_is_seen_without_one(modules):
    """As few launches as have been counted, with compiled code for each pass and no convolution's images copied."""
    pytest.importorskip("triton")
    from triton.runtime import driver

    if not hasattr(driver, "_active"):
        pytest.skip("without_gpu.py is written for torch 2.11 and 2.15")
    import without_gpu

    torch._dynamo.reset()
    (run,) = ganzoo.plan(
        model="dcgan:width=16", loss="bce", dataset="cifar10", recipe={"joint_pass": True, "reuse_fakes": True}
    ).runs
    pixels = np.zeros((256, 3, 32, 32), dtype=np.uint8)
    execution = Execution(channels_last=True, compiled=True, precision="bf16")
    parts = without_gpu.generated(
        lambda: Trainer(run, Images(pixels, None), torch.device("cpu"), 10, execution, pytest.fail), steps=2
    )
    launches = [launch for part in parts for launch in part.launches()]
    assert [part.backward for part in parts] == [False, True, False, True, False, True]
    assert sum("convolution" in launch and "triton" not in launch for launch in launches) == 2 + 2 + 2 + 2 + 2 + 2
    assert len(launches) <= 95  # 99 where each gradient becomes float32 by itself
    assert "cuda" in parts[0].code and "triton" in parts[0].code
    torch._dynamo.reset()
