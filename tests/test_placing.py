"""What an engine is asked to do, in which order, and what becomes of jobs that it fails; no process is started."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ganzoo.api import Capacity, Engine, Job, NoParams
from ganzoo.engine.messages import Event
from ganzoo.engine.placing import Placer
from ganzoo.errors import EngineError, GanzooError, Interrupted
from ganzoo.planning.placement import choose_engine
from ganzoo.zoo.engines.local import Local, cores


class Simulated:
    """A process whose polls give what they are told to, and None after that until it is stopped."""

    def __init__(self, name: str, log: list[str], polls: list, stubborn: bool = False) -> None:
        self.name, self.log, self.polls, self.stubborn = name, log, polls, stubborn
        self.code: int | None = None

    def poll(self):
        if self.code is not None:
            return self.code
        found = self.polls.pop(0) if self.polls else None
        if isinstance(found, BaseException):
            raise found
        self.code = found
        if found is not None:
            self.log.append(f"{self.name} ends")
        return found

    def terminate(self) -> None:
        self.log.append(f"terminate {self.name}")
        self.code = None if self.stubborn else -15

    def kill(self) -> None:
        self.log.append(f"kill {self.name}")
        self.code = -9


class Script(Engine[NoParams]):
    """Starts the processes that the test describes, by the name of the job."""

    seconds = 0.0

    def __init__(self, log: list[str], **jobs) -> None:
        super().__init__(NoParams())
        self.log, self.jobs = log, jobs

    def start(self, job: Job):
        self.log.append(f"start {job.name}")
        planned = self.jobs[job.name]
        if isinstance(planned, Exception):
            raise planned
        return planned if isinstance(planned, Simulated) else Simulated(job.name, self.log, planned)


@dataclass
class Errand:
    """A job, and what was said of it."""

    name: str
    log: list[str]
    events: Path = Path("none")
    heard: list[Event] = field(default_factory=list)

    def job(self) -> tuple[Job, Path]:
        return Job(self.name, ("true",), "/", {}, "/dev/null", device="cpu", threads=1), self.events

    def hear(self, event: Event) -> None:
        self.heard.append(event)

    def ended(self, code: int) -> None:
        self.log.append(f"{self.name}: {code}")

    def failed(self, error: EngineError) -> None:
        self.log.append(f"{self.name}: {error}")


def placer(engine: Engine) -> Placer:
    made = Placer(choose_engine(), stop_seconds=0.01)
    made.engine, made.name, made.seconds = engine, "script", engine.seconds
    return made


def carry_out(log: list[str], at_once: int = 1, **jobs) -> None:
    errands = [Errand(name, log) for name in jobs]
    placer(Script(log, **jobs)).carry_out(errands, at_once, lambda: log.append("stopping"))


# In order, and so many at a time -------------------------------------------------------------------------------------


def test_one_after_another_in_the_order_of_the_plan():
    log: list[str] = []
    carry_out(log, a=[None, 0], b=[7], c=[None, None, 0])
    assert log == ["start a", "a ends", "a: 0", "start b", "b ends", "b: 7", "start c", "c ends", "c: 0"]


def test_as_many_at_a_time_as_there_is_room_for():
    log: list[str] = []
    carry_out(log, at_once=2, a=[None, None, 0], b=[None, 0], c=[0])
    assert [line for line in log if ":" not in line] == ["start a", "start b", "b ends", "start c", "a ends", "c ends"]


def test_what_a_job_tells_is_heard_line_by_line_and_a_line_that_is_not_finished_is_waited_for(tmp_path):
    events = tmp_path / "events.jsonl"
    whole, rest = b'{"kind": "progress", "step": 1}\n{"kind": "prog', b'ress", "step": 2}\n'

    class Writing(Simulated):
        def poll(self):
            with events.open("ab") as file:
                file.write(whole if not self.log else rest)
            self.log.append("asked")
            return None if len(self.log) == 1 else 0

    log: list[str] = []
    errand = Errand("a", [], events)
    placer(Script([], a=Writing("a", log, []))).carry_out([errand], 1, lambda: None)
    assert [event.step for event in errand.heard] == [1, 2]


def test_a_line_that_a_full_disk_cut_within_a_letter_is_passed_over(tmp_path):
    events = tmp_path / "events.jsonl"
    cut = '{"kind": "note", "text": "é'.encode()[:-1]
    events.write_bytes(cut + b'{"kind": "note"}\n{"kind": "progress", "step": 2}\n')
    errand = Errand("a", [], events)
    placer(Script([], a=[0])).carry_out([errand], 1, lambda: None)
    assert [event.step for event in errand.heard] == [2]


# An engine at fault --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("planned", "says"),
    [
        (OSError("no queue"), "engine script: start raised OSError: no queue"),
        ([OSError("no network")], "engine script: poll raised OSError: no network"),
        ([GeneratorExit("gone")], "engine script: poll raised GeneratorExit: gone"),
        ([EngineError("the queue is closed")], "engine script: the queue is closed"),
        (["done"], "engine script: poll gave 'done', neither None nor an exit code"),
    ],
)
def test_a_job_that_the_engine_fails_is_told_and_stops_no_other(planned, says: str):
    log: list[str] = []
    carry_out(log, at_once=2, a=planned, b=[None, 0], c=[0])
    assert f"a: {says}" in log
    assert {"b: 0", "c: 0"} < set(log)
    assert ("kill a" in log) == isinstance(planned, list)  # what cannot be asked must not go on unseen


def test_an_engine_that_starts_nothing_is_named(tmp_path):
    class Forgetful(Script):
        def start(self, job):
            return None

    log: list[str] = []
    placer(Forgetful(log)).carry_out([Errand("a", log)], 1, lambda: None)
    assert log == ["a: engine script: poll raised AttributeError: 'NoneType' object has no attribute 'poll'"]


@pytest.mark.parametrize("given", [Capacity(0), Capacity(2, 1.5), (1, 1)])
def test_a_capacity_that_cannot_be_is_the_engines_fault(given):
    engine = Script([])
    engine.capacity = lambda device, asked: given
    with pytest.raises(EngineError, match=r"^engine script: capacity "):
        placer(engine).capacity("cpu", None)


# Ctrl-C --------------------------------------------------------------------------------------------------------------


def test_ctrl_c_stops_all_that_is_at_work_and_starts_nothing_more():
    log: list[str] = []
    with pytest.raises(Interrupted):
        carry_out(log, at_once=2, a=[], b=[None, KeyboardInterrupt()], c=[0])
    assert log == ["start a", "start b", "stopping", "terminate a", "terminate b"]


def test_what_does_not_stop_in_time_is_killed():
    log: list[str] = []
    deaf = Simulated("a", log, [], stubborn=True)
    with pytest.raises(Interrupted):
        carry_out(log, at_once=2, a=deaf, b=[KeyboardInterrupt()])
    assert log[-4:] == ["terminate a", "terminate b", "kill a", "kill b"]


def test_a_second_ctrl_c_kills_at_once():
    log: list[str] = []
    impatient = Simulated("a", log, [KeyboardInterrupt(), KeyboardInterrupt()], stubborn=True)
    with pytest.raises(Interrupted):
        carry_out(log, a=impatient)
    assert log == ["start a", "stopping", "terminate a", "kill a"]


def test_an_engine_that_raises_while_it_stops_keeps_none_of_the_others_at_work():
    log: list[str] = []

    class Raising(Simulated):
        def terminate(self):
            raise OSError("no network")

    with pytest.raises(Interrupted):
        carry_out(log, at_once=2, a=Raising("a", log, []), b=[KeyboardInterrupt()])
    assert {"terminate b", "kill a"} < set(log)


def test_whoever_listens_may_raise_and_all_is_stopped():
    log: list[str] = []

    class Refusing(Errand):
        def ended(self, code):
            raise GanzooError("the data is missing")

    errands = [Errand("a", log), Refusing("b", log)]
    with pytest.raises(GanzooError, match="the data is missing"):
        placer(Script(log, a=[], b=[None, 1])).carry_out(errands, 2, lambda: None)
    assert "terminate a" in log


# Jobs and the built-in engine ----------------------------------------------------------------------------------------


def test_a_jobs_shell_line_is_the_job_whatever_its_words_are(tmp_path: Path):
    folder = tmp_path / "a folder's $HOME"
    folder.mkdir()
    code = 'import os, sys; print(os.getcwd(), os.environ["X"], sys.argv[1:])'
    words = ("python3", "-c", code, "it's", "a b", "$X", "*")
    job = Job("a", words, str(folder), {"X": "1 & 2"}, str(folder / "out put"), device="cpu", threads=1)
    assert subprocess.run(["sh", "-c", job.shell], check=False, capture_output=True).stdout == b""
    shown = f"""{folder} 1 & 2 ["it's", 'a b', '$X', '*']\n"""
    assert (folder / "out put").read_text(encoding="utf-8") == shown


@pytest.mark.parametrize(
    ("device", "asked", "capacity"),
    [
        ("cpu", None, Capacity(jobs=4, runs=1, threads=1)),
        ("cpu", 1, Capacity(jobs=1, runs=1, threads=4)),
        ("cpu", 3, Capacity(jobs=3, runs=1, threads=1)),
        ("cuda", None, Capacity(jobs=1, runs=1, threads=4)),
        ("cuda", 8, Capacity(jobs=1, runs=8, threads=1)),
        ("auto", 1, Capacity(jobs=1, runs=1, threads=4)),
    ],
)
def test_here_a_run_has_a_core_and_runs_on_a_gpu_share_a_process(monkeypatch, device, asked, capacity: Capacity):
    monkeypatch.setattr("ganzoo.zoo.engines.local.cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert Local(NoParams()).capacity(device, asked) == capacity
    assert cores() >= 1


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("8", 4), ("2,1", 2), ("0", 4), ("many", 4), ("", 4)])
def test_here_a_run_has_no_more_threads_than_the_user_lets_it_have(monkeypatch, given: str, threads: int):
    monkeypatch.setattr("ganzoo.zoo.engines.local.cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert Local(NoParams()).capacity("cpu", 1) == Capacity(jobs=1, runs=1, threads=threads)


def test_an_engine_that_does_not_say_how_starts_nothing():
    job, _ = Errand("a", []).job()
    with pytest.raises(NotImplementedError, match="Engine must define start"):
        Engine(NoParams()).start(job)
    assert Engine(NoParams()).capacity("cpu", None) == Capacity(1, 1, 1)
    assert Engine(NoParams()).capacity("cuda", 5) == Capacity(5, 1, 1)
