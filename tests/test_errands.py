"""What a job is, and that each of its runs is told to have ended, whatever becomes of it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

import ganzoo as package
from ganzoo.api import Job, NoParams
from ganzoo.engine.crew import Crew
from ganzoo.engine.errands import OUTDATED, Placed, Preparation, Training
from ganzoo.engine.messages import PARENT, Event, Options, Task, failure
from ganzoo.engine.worker import Stop
from ganzoo.errors import DataError, EngineError, GanzooError
from ganzoo.results.store import Result, read_json, write_json
from ganzoo.zoo.engines.local import Local

GRID = {"model": "mlp:generator=16,discriminator=16", "loss": "bce", "samples": 20, "evaluations": 1,
        "recipe": {"steps": 2, "batch_size": 8}}  # fmt: skip


@pytest.fixture
def crew(tmp_path: Path) -> tuple[Training, list[tuple[int, Event]]]:
    """Return two runs that share a process, and what is told of them."""
    told: list[tuple[int, Event]] = []
    runs = package.plan(**GRID, seeds=2).runs
    placed = [Placed(run, tmp_path / "out" / "mlp-bce-12345678" / f"seed-{run.seed}") for run in runs]
    how = Options(device="cpu", data_root="", cache="", threads=3)
    (tmp_path / "exchange").mkdir()
    return Training(placed, how, tmp_path / "exchange", lambda one, event: told.append((one.run.seed, event))), told


def test_a_job_is_data_that_means_the_same_elsewhere(crew, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "here")
    monkeypatch.setenv("GANZOO_ONLY_FROM", "ganzoo-core")
    job, events = crew[0].job()
    *command, task, told = job.command
    assert command == [sys.executable, "-P", "-m", "ganzoo.engine.worker"]
    assert (job.name, told) == ("mlp-bce-12345678.seed-0", str(events))
    assert [run.id for run in read_json(Path(task), Task).runs] == [one.run.id for one in crew[0].placed]
    assert all(Path(path).is_absolute() for path in (task, told, job.folder, job.output))
    assert {"PYTHONPATH": "here", "GANZOO_ONLY_FROM": "ganzoo-core", "OMP_NUM_THREADS": "3"}.items() <= (
        job.environment.items()
    )
    assert (job.device, job.threads) == ("cpu", 3)
    assert json.loads(json.dumps(vars(job)))["name"] == job.name


def test_what_an_earlier_attempt_left_is_cleared_when_the_job_is_made(crew):
    folder = crew[0].placed[0].folder
    folder.mkdir(parents=True)
    for name in (*OUTDATED, "checkpoint.pt"):
        (folder / name).touch()
    crew[0].job()
    assert [file.name for file in folder.iterdir()] == ["checkpoint.pt"]


def test_every_run_of_a_job_is_told_to_have_ended_once(crew):
    one, told = crew
    one.hear(Event(kind="finished", run=1))
    one.ended(-9)
    assert [(seed, event.kind) for seed, event in told] == [(1, "finished"), (0, "error")]
    assert told[1][1].text == f"its process ended with signal 9 (Killed); see {one.output}"


def test_an_error_about_a_file_whose_name_is_no_utf_8_can_be_told():
    told = msgspec.json.decode(msgspec.json.encode(failure(DataError("caf\udce9.png cannot be\ndecoded"))), type=Event)
    assert (told.error, told.text) == ("DataError", r"caf\udce9.png cannot be decoded")


def test_runs_of_a_job_that_the_engine_lost_failed_for_that_reason(crew):
    one, told = crew
    one.hear(Event(kind="error", error="KeyError", text="no key", run=0))
    one.failed(EngineError("engine far: poll raised OSError: no network"))
    assert [(seed, event.error) for seed, event in told] == [(0, "KeyError"), (1, "EngineError")]


def test_a_result_that_is_there_is_the_truth_whatever_the_engine_says(crew):
    one, told = crew
    one.job()
    for placed in one.placed[:1]:
        result = Result(run=placed.run.id, combination="c", seed=0, status="diverged", reason="not finite", step=7)
        write_json(placed.folder / "result.json", result)
    one.failed(EngineError("engine far: poll raised OSError: no network"))
    assert [(event.kind, event.step, event.text) for _, event in told] == [
        ("finished", 7, "not finite"), ("error", 0, "engine far: poll raised OSError: no network")
    ]  # fmt: skip


def test_a_job_that_another_than_ganzoo_stops_can_be_continued(crew):
    one, told = crew
    one.ended(3)
    assert [event.text for _, event in told] == [
        "told to stop, and wrote its checkpoint; run the same command again to go on"
    ] * 2


def test_a_preparation_that_fails_says_why(tmp_path):
    def preparation() -> Preparation:
        return Preparation(package.plan(**GRID).runs, Options(data_root="", cache=""), tmp_path)

    with pytest.raises(DataError, match=r"^no such folder$"):
        preparation().hear(Event(kind="error", error="DataError", text="no such folder"))
    with pytest.raises(GanzooError, match=r"^preparing the data raised KeyError: 'x'$"):
        preparation().hear(Event(kind="error", error="KeyError", text="'x'"))
    with pytest.raises(GanzooError, match="ended with exit code 0: it printed nothing"):
        preparation().ended(0)
    (tmp_path / "prepare.txt").write_text("Traceback\nMemoryError: too much\n", encoding="utf-8")
    with pytest.raises(GanzooError, match="ended with exit code 1: MemoryError: too much"):
        preparation().ended(1)


def test_a_run_that_a_lost_process_has_finished_is_not_trained_again(tmp_path):
    (run,) = package.plan(**GRID).runs
    task = Task(kind="run", runs=(run,), folders=(str(tmp_path),), options=Options(data_root="", cache=str(tmp_path)))
    told: list[Event] = []
    Crew(task, told.append, bool).carry_out()
    before = (tmp_path / "result.json").read_bytes()
    told.clear()
    Crew(task, told.append, bool).carry_out()
    assert [event.kind for event in told] == ["finished"]
    assert (tmp_path / "result.json").read_bytes() == before


def test_a_job_stops_when_its_ganzoo_is_gone_even_before_it_could_ask_or_has_left_it_behind(tmp_path, monkeypatch):
    task = tmp_path / "task.json"
    task.touch()
    monkeypatch.delenv(PARENT, raising=False)
    stop = Stop(task)
    assert not stop()
    task.unlink()
    assert stop()
    task.touch()
    monkeypatch.setenv(PARENT, str(os.getpid()))  # this process's parent is another
    assert Stop(task)() and PARENT not in os.environ


def test_a_process_of_this_machine_knows_whose_it_is(tmp_path):
    words = (sys.executable, "-c", f"import os; print(os.environ['{PARENT}'])")
    output = tmp_path / "output.txt"
    Local(NoParams()).start(Job("it", words, str(tmp_path), {}, str(output), "cpu", 1)).wait()
    assert output.read_text() == f"{os.getpid()}\n"
