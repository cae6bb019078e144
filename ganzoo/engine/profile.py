"""Where the time of a step goes: a trace of a few, and their costliest operations."""

from __future__ import annotations

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from ganzoo.train.trainer import Trainer

FIRST = 10
"""Steps that are not looked at: kernels are chosen, and steps captured, in the first ones."""
STEPS = 5
SHOWN = 8


class StepProfiler:
    """Trains as the trainer does, and looks at some steps meanwhile."""

    def __init__(self, file: Path) -> None:
        """Name the file of the trace, which browsers and Perfetto show."""
        self.file = file

    def step(self, trainer: Trainer) -> str:
        """Train a step; where it was the last that is looked at, write the trace and return where their time went."""
        on_gpu = trainer.device.type == "cuda"
        if trainer.number == FIRST:
            activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
            self.seen = profile(activities=activities)
            self.seen.start()
        trainer.step()
        if trainer.number != FIRST + STEPS or not hasattr(self, "seen"):
            return ""
        self.seen.stop()
        self.seen.export_chrome_trace(str(self.file))
        return f"{self._shares('self_device_time_total' if on_gpu else 'self_cpu_time_total')}\n  trace: {self.file}"

    def _shares(self, measure: str) -> str:
        """Return the time of a step, and the shares of the operations that take most of it."""
        found: dict[str, float] = {event.key: getattr(event, measure) for event in self.seen.key_averages()}
        total = sum(found.values()) or 1.0
        most = sorted(found.items(), key=lambda pair: -pair[1])[:SHOWN]
        shares = "".join(f"\n  {time / total:6.1%}  {key[:100]}" for key, time in most if time)
        return f"a step takes {total / STEPS / 1000:.1f} ms, of which{shares}"
