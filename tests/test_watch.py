"""What a user sees while a grid runs says what it is about, whatever that is called."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import ganzoo
from ganzoo.engine.errands import Placed
from ganzoo.engine.messages import Event
from ganzoo.engine.watch import Bars, Lines


def test_square_brackets_in_a_name_are_no_markup_of_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("FORCE_COLOR", "1")
    (run,) = ganzoo.plan(model="mlp", loss="bce").runs
    placed = Placed(msgspec.structs.replace(run, combination="dcgan [ours] [/paper]"), Path("seed-0"))
    with Bars() as watcher:
        watcher.event(placed, Event(kind="started"))
        watcher.progress.refresh()
    assert "dcgan [ours] [/paper], seed 0" in capsys.readouterr().out


def test_runs_that_share_a_name_have_a_bar_each() -> None:
    short, long = (
        Placed(ganzoo.plan(model="mlp", loss="bce", recipe={"steps": steps}).runs[0], Path(str(steps)))
        for steps in (5, 9)
    )
    with Bars() as watcher:
        watcher.event(short, Event(kind="started"))
        watcher.event(long, Event(kind="started"))
        watcher.event(short, Event(kind="finished"))
        watcher.event(long, Event(kind="progress", step=7))
        assert [(task.total, task.completed) for task in watcher.progress.tasks] == [(9, 7)]


def test_it_is_told_how_far_a_grid_is_and_how_long_the_rest_takes(monkeypatch, capsys) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    runs = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": 100}, seeds=4).runs
    first, second, third, fourth = (Placed(run, Path(str(run.seed))) for run in runs)
    watcher = Lines()
    watcher.begin([first, second, third, fourth], 0, 2, "cpu")
    watcher.event(first, Event(kind="started"))
    watcher.event(second, Event(kind="started", step=50))
    now = 600.0
    watcher.event(first, Event(kind="finished", step=100))
    watcher.event(third, Event(kind="error", error="ValueError", text="no"))
    watcher.event(fourth, Event(kind="finished", step=100, values={"status": "done"}))
    watcher.event(second, Event(kind="finished", step=100))
    assert [line.partition("(")[2] for line in capsys.readouterr().out.splitlines() if "(" in line] == [
        "1 of 4 runs, about 25 min left)",  # 100 steps in 600 s; 50, 100 and 100 are left
        "2 of 4 runs, about 15 min left)",  # of a run that failed no steps are left
        "3 of 4 runs, about 2 min left)",
        "4 of 4 runs)",
    ]


def test_a_grid_of_one_run_says_nothing_of_others(capsys) -> None:
    one = Placed(ganzoo.plan(model="mlp", loss="bce").runs[0], Path("0"))
    watcher = Lines()
    watcher.begin([one], 0, 1, "cpu")
    watcher.event(one, Event(kind="finished", step=1000))
    assert capsys.readouterr().out.splitlines()[-1] == "mlp + bce, seed 0: done"


def test_a_bar_shows_the_steps_of_all_runs() -> None:
    first, second = (Placed(run, Path(str(run.seed))) for run in ganzoo.plan(model="mlp", loss="bce", seeds=2).runs)
    with Bars() as watcher:
        watcher.begin([first, second], 0, 2, "cpu")
        watcher.event(first, Event(kind="started"))
        watcher.event(first, Event(kind="progress", step=300))
        bars = [(task.description, task.completed, task.total) for task in watcher.progress.tasks]
    assert bars == [("all runs", 300, 2000), ("mlp + bce, seed 0", 300, 1000)]


def test_what_was_done_before_a_grid_was_continued_does_not_count_as_its_pace() -> None:
    now = 0.0
    first, second = (Placed(run, Path(str(run.seed))) for run in ganzoo.plan(model="mlp", loss="bce", seeds=2).runs)
    with Bars() as watcher:
        watcher.progress.get_time = lambda: now
        watcher.begin([first, second], 0, 2, "cpu")
        watcher.event(first, Event(kind="started", step=500))
        now = 1.0
        watcher.event(second, Event(kind="started", step=500))
        for now, step in ((2.0, 501), (3.0, 502), (4.0, 503)):  # noqa: B007  (the clock reads it)
            watcher.event(first, Event(kind="progress", step=step))
        (bar, *_) = watcher.progress.tasks
    assert (bar.completed, bar.total, bar.speed) == (1003, 2000, 1.0)
