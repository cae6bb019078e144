"""Whatever is stopped or killed, what is finished stays, and the same command finishes the rest."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest
from command_line import SMALL, ganzoo, install, start

from ganzoo.results.store import Result, finished, read_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux, to see strangers' processes end"),
]

PAUSING = '''
import os, select, signal
from ganzoo.api import Spec
from ganzoo.zoo.losses.bce import BCE
from ganzoo.zoo.specs.losses import BCEParams

PAUSING = Spec(kind="loss", target="ganzoo_pausing:Pausing", summary="bce that pauses", params=BCEParams)


class Pausing(BCE):
    def generator(self, step):
        if step.number == 5 and "PAUSE" in os.environ:
            pause(os.environ["PAUSE"])
        return super().generator(step)


def pause(folder):
    """Tell who we are, and wait for a signal or for the other end of `go` to be closed."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    go = os.open(f"{folder}/go", os.O_RDONLY)
    with open(f"{folder}/reached", "w") as reached:
        reached.write(str(os.getpid()))
    select.select([woken, go], [], [])
    signal.set_wakeup_fd(-1)
'''


@dataclass
class AtWork:
    """A `ganzoo bench` whose first run stands still at step 5."""

    command: tuple[str | Path, ...]
    out: Path
    process: Popen[str]
    run: int
    """The process of the run."""
    _go: int
    _alive: int

    def let_go(self) -> None:
        """Let the run go on."""
        os.close(self._go)
        self._go = -1

    def run_ends(self) -> bool:
        """Wait for the run's process to end; it may be nobody's child by now."""
        return bool(select.select([self._alive], [], [], 120)[0])

    def close(self) -> None:
        """Leave nothing behind."""
        for descriptor in {self._go, self._alive} - {-1}:
            os.close(descriptor)
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return what a process needs to find the pausing loss, which pauses only where PAUSE is set."""
    return install(tmp_path / "site", "ganzoo_pausing", PAUSING, {"ganzoo.losses": ("pausing",)})


@pytest.fixture
def at_work(tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest) -> Iterator[AtWork]:
    """Start a grid of the losses that the test names, and wait until its first run has reached step 5."""
    reached, go = tmp_path / "reached", tmp_path / "go"
    os.mkfifo(reached)
    os.mkfifo(go)
    hold = os.open(go, os.O_RDWR)
    listen = os.open(reached, os.O_RDONLY | os.O_NONBLOCK)
    losses = getattr(request, "param", "pausing")
    grid = ("bench", "--model", "mlp", "--loss", losses, "--steps", "20", "--jobs", "1", *SMALL)
    command = (*grid, "--out", tmp_path / "out")
    process = start(*command, env={**environment, "PAUSE": str(tmp_path)})
    assert process.stdout is not None
    while not select.select([listen], [], [], 0)[0]:  # each turn waits until one of them speaks
        (ready, *_), _, _ = select.select([listen, process.stdout], [], [])
        if ready is process.stdout and not os.read(process.stdout.fileno(), 4096):
            pytest.fail(f"ended before step 5: {process.communicate()[1]}")
    run = int(os.read(listen, 64))
    os.close(listen)
    work = AtWork(command, tmp_path / "out", process, run, hold, os.pidfd_open(run))
    yield work
    work.close()


def only_result(out: Path) -> Result:
    (file,) = out.glob("*/*/result.json")
    return read_json(file, Result)


def test_ctrl_c_keeps_the_run_and_says_how_to_continue(at_work: AtWork, environment: dict[str, str]) -> None:
    os.killpg(at_work.process.pid, signal.SIGINT)
    _, errors = at_work.process.communicate()
    assert at_work.process.returncode == 130
    assert errors == (
        "stopping: every run at work writes its checkpoint; Ctrl-C again ends at once\n"
        f"ganzoo: stopped; what is finished is kept in {at_work.out}; to continue: "
        f"ganzoo {' '.join(map(str, at_work.command))}\n"
    )
    assert at_work.run_ends()
    assert not list(at_work.out.glob("*/*/result.json"))

    code, printed, errors = ganzoo(*at_work.command, env=environment)
    assert (code, errors) == (0, "")
    assert "mlp + pausing, seed 0: continues at step 6" in printed
    assert only_result(at_work.out).status == "done"


def test_ctrl_c_that_ends_the_reader_of_the_lines_too_is_no_different(at_work: AtWork) -> None:
    """As of `ganzoo bench | tee`."""
    assert at_work.process.stdout is not None
    at_work.process.stdout.close()
    os.killpg(at_work.process.pid, signal.SIGINT)
    _, errors = at_work.process.communicate()
    assert (at_work.process.returncode, "to continue: ganzoo bench" in errors) == (130, True)
    assert at_work.run_ends()


def test_being_told_to_end_is_being_interrupted(at_work: AtWork) -> None:
    at_work.process.terminate()
    _, errors = at_work.process.communicate()
    assert (at_work.process.returncode, "to continue: ganzoo bench" in errors) == (130, True)
    assert at_work.run_ends()


def test_a_killed_command_line_takes_its_runs_along_and_can_be_continued_at_once(
    at_work: AtWork, environment: dict[str, str]
) -> None:
    at_work.process.kill()
    at_work.process.wait()
    with start(*at_work.command, env=environment) as again:
        assert again.stdout is not None
        for line in again.stdout:
            if line.startswith("training 1 run"):
                break
        at_work.let_go()  # only now can the old process write its checkpoint: the new one must have waited for it
        printed, _ = again.communicate()
    assert at_work.run_ends()
    assert again.returncode == 0
    assert "mlp + pausing, seed 0: continues at step 6" in printed
    assert only_result(at_work.out).status == "done"


@pytest.mark.parametrize("at_work", ["pausing,bce"], indirect=True)
def test_a_killed_run_is_a_failed_row_that_is_tried_again(at_work: AtWork, environment: dict[str, str]) -> None:
    os.kill(at_work.run, signal.SIGKILL)
    printed, _ = at_work.process.communicate()
    assert at_work.process.returncode == 0
    rows = {line.split("  ")[0]: line for line in printed.splitlines() if line.startswith("mlp + ") and "/1 " in line}
    assert "seed 0 failed: ProcessError: its process ended with signal 9 (Killed); see " in rows["mlp + pausing"]
    assert "best at step 20" in rows["mlp + bce"]

    code, printed, errors = ganzoo(*at_work.command, env=environment)
    assert (code, errors) == (0, "")
    assert "training 1 run on cpu, 1 at a time, 1 done before" in printed
    assert "failed: ProcessError" not in printed
    assert all(finished(file.parent) for file in at_work.out.glob("*/*/config.json"))
