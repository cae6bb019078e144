"""How long a run's steps take on its device, also where other runs share it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

import torch

EVERY, FIRST = 200, 5
"""Steps from one that is timed alone to the next, and the first such; those before it are captured."""


class Stopwatch:
    """Adds up device-seconds.

    A run that has its device to itself is timed by the clock. Of runs side by side the clock says nothing, since each
    waits for what the others do: there, now and then, all that is under way is finished, one step is timed alone, and
    the steps since the last such step count as long as this one.
    """

    def __init__(self, device: torch.device, shared: bool) -> None:
        self.device, self.shared = device, shared
        self.steps = 0
        self._seconds = self._last = 0.0
        self._pending = 0

    @property
    def seconds(self) -> float:
        """Return the device-seconds of all steps so far."""
        return self._seconds + self._pending * self._last

    @contextmanager
    def step(self) -> Generator[None]:
        """Count what is done within as a step."""
        self.steps += 1
        self._pending += 1
        timed = not self.shared or self.steps % EVERY == FIRST
        if self.shared and timed:
            torch.cuda.synchronize(self.device)
        started = time.perf_counter()
        yield
        if not timed:
            return
        if self.shared:
            torch.cuda.synchronize(self.device)
        self._last = time.perf_counter() - started
        self._seconds += self._pending * self._last
        self._pending = 0
