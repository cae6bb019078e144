"""Device-seconds: by the clock for a run alone, from steps timed alone for runs that share a GPU."""

from __future__ import annotations

import pytest
import torch

from ganzoo.engine import stopwatch
from ganzoo.engine.stopwatch import EVERY, FIRST, Stopwatch


class Clock:
    """A clock that the test moves on."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(stopwatch, "time", made)
    return made


def test_a_run_alone_is_timed_by_the_clock(clock):
    watch = Stopwatch(torch.device("cpu"), shared=False)
    for seconds in (1.0, 2.0, 4.0):
        with watch.step():
            clock.now += seconds
        clock.now += 100  # an evaluation
    assert watch.seconds == 7


def test_steps_of_runs_side_by_side_count_as_long_as_those_that_were_timed_alone(clock, monkeypatch):
    finished: list[float] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: finished.append(clock.now))
    watch = Stopwatch(torch.device("cuda"), shared=True)
    for number in range(1, EVERY + 2 * FIRST + 1):
        with watch.step():
            clock.now += 3.0 if number in (FIRST, EVERY + FIRST) else 0.01  # others only launch
    assert len(finished) == 4  # before and after each of two
    assert watch.seconds == pytest.approx(3.0 * (EVERY + 2 * FIRST))
