"""What a user sees while a grid runs says what it is about, whatever that is called."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import ganzoo
from ganzoo.engine.errands import Placed
from ganzoo.engine.messages import Event
from ganzoo.engine.watch import Bars


def test_square_brackets_in_a_name_are_no_markup_of_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
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
