"""Runs side by side in one process end as they do alone, and one that fails stops no other."""

from __future__ import annotations

import threading
from concurrent.futures import wait
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import ganzoo
from ganzoo.engine import crew as module
from ganzoo.engine.crew import Crew
from ganzoo.engine.job import TrainingRun
from ganzoo.engine.messages import Event, Options, Task
from ganzoo.errors import GanzooError
from ganzoo.evaluate.scorer import COMPUTE
from ganzoo.planning.run import Run
from ganzoo.train.trainer import Trainer
from ganzoo.zoo.tricks.hflip import HFlip

REQUEST = {"model": "mlp:generator=16,discriminator=16", "loss": "bce", "evaluations": 1, "samples": 20}


def runs(steps: int = 6, **request) -> tuple[Run, ...]:
    return ganzoo.plan(**REQUEST, recipe={"steps": steps, "batch_size": 8}, **request).runs


def carry_out(folder: Path, *todo: Run, stopping=bool, hear=lambda event: None) -> tuple[list[Path], list[Event], Crew]:
    folders = [folder / str(run.seed) for run in todo]
    for one in folders:
        one.mkdir(parents=True, exist_ok=True)
    options = Options(device="cpu", data_root="", cache=str(folder / "cache"))
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        hear(event)

    crew = Crew(Task(kind="run", runs=todo, folders=tuple(map(str, folders)), options=options), tell, stopping)
    crew.carry_out()
    return folders, told, crew


def test_runs_side_by_side_end_with_the_numbers_that_they_have_alone(tmp_path):
    together, _, _ = carry_out(tmp_path / "together", *runs(seeds=2, trick="ema,instance-noise"))
    for run, one in zip(runs(seeds=2, trick="ema,instance-noise"), together, strict=True):
        ((alone,), _, _) = carry_out(tmp_path / f"alone {run.seed}", run)
        for name in ("generator-last.safetensors", "metrics.jsonl", "samples.png"):
            assert (one / name).read_bytes() == (alone / name).read_bytes()


class OnGPU:
    """A GPU's generator, or its stream, of which only the place is known."""

    device_index = 0

    def graphsafe_set_state(self, other): ...

    def graphsafe_get_state(self):
        return self


def test_on_a_gpu_the_processors_generator_is_each_runs_own_as_well(monkeypatch):
    """A trick may draw from it on a GPU, too, as PyTorch's functions do that are not told of a device."""
    own = torch.Generator
    monkeypatch.setattr(module, "pick_device", lambda name: torch.device("cuda", 0))
    monkeypatch.setattr(torch, "Generator", lambda device="cpu": own() if device == "cpu" else OnGPU())
    for name, stand_in in {
        "Stream": lambda device: OnGPU(), "stream": lambda one: nullcontext(), "default_generators": [OnGPU()],
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
    contexts = [module.TurnContext(Options(device="cuda", data_root="", cache="")) for _ in range(2)]
    drawn: list[list[float]] = [[], []]
    for _ in range(3):
        for context, numbers in zip(contexts, drawn, strict=True):
            with context.entered():
                numbers.append(torch.rand(()).item())
    assert drawn[0] == drawn[1] and len(set(drawn[0])) == 3


class Wobble(HFlip):
    """Adds noise from PyTorch's own generator, as dropout is."""

    def augment(self, images, rng):
        return images + 0.1 * torch.randn(images.shape)


def test_they_share_no_random_generator(tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.zoo.tricks.hflip.HFlip", Wobble)
    together, _, _ = carry_out(tmp_path / "together", *runs(seeds=2, trick="hflip"))
    for run, one in zip(runs(seeds=2, trick="hflip"), together, strict=True):
        ((alone,), _, _) = carry_out(tmp_path / f"alone {run.seed}", run)
        assert (one / "generator-last.safetensors").read_bytes() == (alone / "generator-last.safetensors").read_bytes()


def test_they_take_turns(tmp_path, monkeypatch):
    monkeypatch.setattr("ganzoo.engine.evaluator.ON_DEVICE", frozenset(COMPUTE))  # else one may wait for its distance
    _, told, _ = carry_out(tmp_path, *runs(seeds=2))
    steps = [(event.run, event.step) for event in told if event.kind == "progress"]
    assert steps == [(run, step) for step in range(1, 7) for run in (0, 1)]


def test_others_train_while_one_is_scored(tmp_path, monkeypatch):
    short, long = runs(seeds=[0], steps=2)[0], runs(seeds=[1], steps=30)[0]
    began, passed = threading.Event(), threading.Event()

    def hear(event):
        began.set() if (event.run, event.step) == (0, 2) else None
        passed.set() if (event.run, event.step) == (1, 10) else None

    def slow(fake, real):
        assert not began.is_set() or passed.wait(20), "the other run stands still"
        return {"fid": 1.0}

    monkeypatch.setitem(COMPUTE, "fid", slow)
    _, told, _ = carry_out(tmp_path, short, long, hear=hear)
    ended = [event.run for event in told if event.kind == "finished"]
    assert ended == [0, 1] and passed.is_set()


def test_a_batch_of_samples_is_a_turn(tmp_path):
    (run,) = ganzoo.plan(**{**REQUEST, "samples": 600}, recipe={"steps": 6, "batch_size": 8}).runs
    options = Options(device="cpu", data_root="", cache=str(tmp_path / "cache"))
    job = TrainingRun(run, tmp_path, options, lambda event: None, bool)
    untrained, step, selection, last = 3, 1, 3, 3
    assert sum(1 for _ in job.turns()) == untrained + 6 * step + selection + last


def test_what_a_kill_left_in_the_middle_of_a_write_is_removed(tmp_path):
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / ".checkpoint.pt.4711").touch()
    (folder,), _, _ = carry_out(tmp_path, *runs())
    assert {file.name for file in folder.iterdir() if file.name.startswith(".")} == {".lock"}


class Panic(BaseException):
    """As an extension in Rust raises it."""


@pytest.mark.parametrize(
    ("error", "kept"), [(GanzooError("no such thing"), False), (ZeroDivisionError("oh"), True), (Panic("oh"), True)]
)
def test_a_run_that_fails_stops_no_other(tmp_path, monkeypatch, error, kept):
    play = Trainer.play

    def fail(self, number):
        if self.run.seed == 0 and number == 2:
            raise error
        play(self, number)

    monkeypatch.setattr(Trainer, "play", fail)
    folders, told, _ = carry_out(tmp_path, *runs(seeds=2))
    ended = {event.run: (event.kind, event.error, event.text) for event in told if event.kind in ("error", "finished")}
    assert ended == {0: ("error", type(error).__name__, str(error)), 1: ("finished", "", "")}
    assert (folders[0] / "error.txt").exists() == kept  # what ganzoo raises says enough
    assert (folders[1] / "result.json").exists()


def test_a_run_whose_folder_is_gone_stops_no_other(tmp_path, monkeypatch):
    play = Trainer.play

    def fail(self, number):
        if self.run.seed == 0:
            (tmp_path / "0").rename(tmp_path / "moved")
            raise ZeroDivisionError("oh")
        play(self, number)

    monkeypatch.setattr(Trainer, "play", fail)
    folders, told, _ = carry_out(tmp_path, *runs(seeds=2))
    assert {event.run: event.text for event in told if event.kind == "error"} == {0: "oh"}
    assert (folders[1] / "result.json").exists()


def test_a_run_that_fails_with_words_that_are_no_utf_8_stops_no_other(tmp_path, monkeypatch):
    play = Trainer.play

    def fail(self, number):
        if self.run.seed == 0:
            raise ValueError("caf\udce9.png")
        play(self, number)

    monkeypatch.setattr(Trainer, "play", fail)
    folders, told, _ = carry_out(tmp_path, *runs(seeds=2))
    assert {event.run: event.text for event in told if event.kind == "error"} == {0: r"caf\udce9.png"}
    assert r"ValueError: caf\udce9.png" in (folders[0] / "error.txt").read_text(encoding="utf-8")
    assert (folders[1] / "result.json").exists()


def test_all_are_stopped_with_a_checkpoint_each(tmp_path):
    asked: list[int] = []
    folders, _, crew = carry_out(tmp_path, *runs(seeds=2), stopping=lambda: asked.append(1) or len(asked) > 5)
    assert crew.interrupted
    assert all((folder / "checkpoint.pt").exists() for folder in folders)


def test_a_run_that_waits_for_another_process_can_be_stopped_and_goes_on_after_it(tmp_path):
    asked: list[int] = []
    (tmp_path / "0").mkdir()
    with FileLock(tmp_path / "0" / ".lock") as lock:
        _, told, crew = carry_out(tmp_path, *runs(), stopping=lambda: asked.append(1) or len(asked) > 2)
        assert (told, crew.interrupted) == ([], True)
        _, told, _ = carry_out(tmp_path, *runs(), stopping=lock.release)
    assert told[-1].kind == "finished"


class Clock:
    """A clock that the test moves on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_what_is_computed_beside_others_counts_once(tmp_path, monkeypatch):
    clock, waits, computing = Clock(), iter(range(3)), threading.Event()

    def look(futures, seconds):
        clock.now += 1
        if next(waits, None) is None:
            computing.set()
        return wait(futures, None if computing.is_set() else 0)

    options = Options(device="cpu", data_root="", cache=str(tmp_path / "cache"))
    job = TrainingRun(runs()[0], tmp_path, options, lambda event: None, bool, shared=True)
    monkeypatch.setitem(COMPUTE, "fid", lambda fake, real: {"fid": float(computing.wait())})
    monkeypatch.setattr("ganzoo.engine.evaluator.time", clock)
    monkeypatch.setattr("ganzoo.engine.evaluator.wait", look)
    for _ in job.evaluator.score(job.trainer.game.sampler(), "report", ("fid",)):
        clock.now += 10  # the others' turns
    assert job.evaluator.seconds == 3 * (1 + 10) + 1
