"""Where the time of a step goes: a trace of a few, and their costliest operations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from ganzoo.train.trainer import Trainer

FIRST = 10
"""Steps that are not looked at where a run is long enough: kernels are chosen, and steps captured, in the first."""
STEPS = 5
SHOWN = 8


class StepProfiler:
    """Trains as the trainer does, and looks at some steps meanwhile."""

    def __init__(self, file: Path, steps: int) -> None:
        """Name the file of the trace, which browsers and Perfetto show, and the steps that are still to come."""
        self.file = file
        self.looked_at = min(STEPS, steps)
        self.before = min(FIRST, steps - self.looked_at)
        self.left = self.looked_at
        self.times: Counter[str] = Counter()
        self.seen: profile | None = None

    def step(self, trainer: Trainer) -> str:
        """Train a step; where it was the last that is looked at, return where their time went."""
        if self.before or not self.left:
            self.before = max(0, self.before - 1)
            trainer.step()
            return ""
        self.measure = "self_device_time_total" if trainer.device.type == "cuda" else "self_cpu_time_total"
        if self.seen is None:
            on_gpu = [ProfilerActivity.CUDA] if trainer.device.type == "cuda" else []
            self.seen = profile(activities=[ProfilerActivity.CPU, *on_gpu], acc_events=True)  # else PyTorch 2.11 warns
            self.seen.start()
        trainer.step()
        self.left -= 1
        if self.left:
            return ""
        self.pause()
        return f"{self._shares()}\n  trace: {self.file}"

    def pause(self) -> None:
        """Look away until the next step, and write the trace of those until here."""
        if self.seen is not None:
            self.seen.stop()
            self.seen.export_chrome_trace(str(self.file))
            for event in self.seen.key_averages():
                self.times[event.key] += getattr(event, self.measure)
            self.seen = None

    def _shares(self) -> str:
        """Return the time of a step, and the shares of the operations that take most of it."""
        total = self.times.total() or 1.0
        shares = "".join(f"\n  {time / total:6.1%}  {key[:100]}" for key, time in self.times.most_common(SHOWN) if time)
        return f"a step takes {total / self.looked_at / 1000:.1f} ms, of which{shares}"
