"""What a comparison of speeds measures of a contestant and of the machine."""

from __future__ import annotations

import fcntl
import math
import os
import platform
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.autograd import DeviceType
from torch.utils.flop_counter import FlopCounterMode

ASKS = (
    *("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx"),
    *("cudaMemcpyAsync", "cudaMemsetAsync", "cudaGraphLaunch"),
)


class Contestant(Protocol):
    """What is measured."""

    def step(self) -> None:
        """Train one generator step."""
        ...


def steps_a_second(one: Contestant, seconds: float, device: torch.device, busy: bool = False) -> float:
    """Train for about so many seconds, of the process's own where others are busy, and at least a step.

    A GPU, which is idle after each wait, carries out ten steps, then as many as should fill the time, at most double
    those before.
    """
    clock = time.process_time if busy else time.perf_counter
    synchronise(device)
    started, steps, more = clock(), 0, 10 if device.type == "cuda" else 1
    while True:
        for _ in range(more):
            one.step()
        synchronise(device)
        steps, passed = steps + more, clock() - started
        if passed > seconds:
            return steps / passed
        if device.type == "cuda":
            more = min(math.ceil(steps * (seconds - passed) / passed) + 1, 2 * steps)


def synchronise(device: torch.device) -> None:
    """Wait for all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Turn:
    """This process's turn on a machine where others get warm, too: all at once, and then each measures alone."""

    def __init__(self, file: str) -> None:
        """Share a file's lock with the others; with none for an empty name."""
        self.lock = os.open(file, os.O_CREAT | os.O_WRONLY) if file else None  # open to the end

    @property
    def shared(self) -> bool:
        """Whether others may be getting warm."""
        return self.lock is not None

    def share(self) -> None:
        """Begin to get warm, beside others that do."""
        if self.lock is not None:
            fcntl.flock(self.lock, fcntl.LOCK_SH)

    def take(self) -> None:
        """Wait until no other gets warm or measures; it is this one's turn until it shares again, or ends."""
        if self.lock is not None:
            fcntl.flock(self.lock, fcntl.LOCK_EX)


def tune_alone(file: str) -> None:
    """Have no other process that shares the file tune kernels while this one does: TorchInductor keeps the fastest.

    Others may train meanwhile, so that choices differ from run to run all the same.
    """
    from torch._inductor.runtime.triton_heuristics import CachingAutotuner  # noqa: PLC0415  (seconds)

    lock, tuned = os.open(file, os.O_CREAT | os.O_WRONLY), CachingAutotuner.benchmark_all_configs

    def alone(self: CachingAutotuner, *args: Any, **kwargs: Any) -> Any:
        torch.cuda.synchronize()
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return tuned(self, *args, **kwargs)
        finally:
            torch.cuda.synchronize()
            fcntl.flock(lock, fcntl.LOCK_UN)

    CachingAutotuner.benchmark_all_configs = alone


class Everywhere(nullcontext[None]):
    """Counts for no module: PyTorch's tracker of modules cannot follow a gradient of images, as penalties have it."""

    parents = frozenset({"Global"})


def operations(one: Contestant) -> float:
    """Return the floating-point operations of the convolutions and products in a step."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Everywhere()
    with counter:
        one.step()
    return float(counter.get_total_flops())


def launches(one: Contestant) -> int:
    """Return how often a step asks the GPU for something."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], acc_events=True) as profile:
        one.step()
    return sum(event.count for event in profile.key_averages() if event.key in ASKS)


def kernels(name: str, one: Contestant, device: torch.device, most: int) -> str:
    """Return a table of the kernels, or on a CPU the operators, that take most of ten steps."""
    with torch.profiler.profile(acc_events=True) as profile:
        for _ in range(10):
            one.step()
        synchronise(device)
    events = [event for event in profile.key_averages() if not event.is_user_annotation]
    if device.type == "cuda":  # an operator has the time of the kernels that it launched
        events = [event for event in events if event.device_type == DeviceType.CUDA]
    of = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    time = {event.key: getattr(event, of) for event in events}
    events.sort(key=lambda event: -time[event.key])
    whole = sum(time.values())
    kind = "kernel" if device.type == "cuda" else "operator"
    lines = [
        f"{name}: {sum(event.count for event in events) / 10:,.0f} {kind}s a step, {whole / 10:,.0f} us of their own",
        f"\n| {kind} | a step | us a step | share |\n|---|---:|---:|---:|",
        *(
            f"| `{key[:90]}` | {count / 10:,.1f} | {time[key] / 10:,.1f} | {time[key] / whole:.1%} |"
            for key, count in ((event.key, event.count) for event in events[:most])
        ),
    ]
    return "\n".join([*lines, ""])


def peak(device: torch.device, busy: bool) -> float:
    """Return the operations a second of a large matrix product in bfloat16."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    times: list[float] = []
    clock = time.process_time if busy else time.perf_counter
    for _ in range(13):
        synchronise(device)
        started = clock()
        a @ b
        synchronise(device)
        times.append(clock() - started)
    return 2 * side**3 / statistics.median(times[3:])


def machine(device: torch.device) -> str:
    """Return what was measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu()
    return f"{name}, {torch.get_num_threads()} threads; torch {torch.__version__}, Python {platform.python_version()}"


def cpu() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
