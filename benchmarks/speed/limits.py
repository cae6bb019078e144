"""What bounds several runs at once on a GPU: how fast it carries out graphs of one kind of kernel, and a step's graphs.

    python benchmarks/speed/limits.py [--streams 1,2,4,8,16] [--seconds 0.2]

First the graphs of `dcgan`'s steps are replayed, with nothing in between that Python would do. Then each stream replays
a graph of its own, a chain of as many kernels as such a step has, on data of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from instruments import machine, synchronise
from measure import CASES, MODES, Together, plan
from torch import Tensor
from torch.nn import functional as F

from ganzoo.train.trainer import Trainer

GPU = torch.device("cuda", 0)
KERNELS = 110
"""In a graph: about as many as a step of `dcgan` has."""
Work = Callable[[], Tensor]
"""Starts a kernel."""
Replay = Callable[[], None]


def nothing() -> Work:
    """Return a kernel that adds to one number."""
    x = torch.zeros(1, device=GPU)
    return lambda: x.add_(1)


def moves(mebibytes: int) -> Callable[[], Work]:
    """Return kernels that read and write so much each."""

    def make() -> Work:
        x = torch.zeros(mebibytes * 2**19, device=GPU, dtype=torch.bfloat16)
        return lambda: x.add_(1)

    return make


def product() -> Work:
    """Return a matrix product as `dcgan`'s last convolution would be."""
    a, b = (torch.randn(*shape, device=GPU, dtype=torch.bfloat16) for shape in ((1024, 2048), (2048, 256)))
    return lambda: a @ b


def convolution() -> Work:
    """Return `dcgan`'s second convolution, in batches of 64."""
    shapes = ((64, 64, 16, 16), (128, 64, 4, 4))
    x, w = (torch.randn(*s, device=GPU, dtype=torch.bfloat16).to(memory_format=torch.channels_last) for s in shapes)
    return lambda: F.conv2d(x, w, stride=2, padding=1)


KINDS = {
    "that do nothing": nothing,
    "of 2 MiB, read and written": moves(2),
    "of 8 MiB, read and written": moves(8),
    "products, 1024x2048x256": product,
    "convolutions, 64 to 128 channels": convolution,
}


def captured(make: Callable[[], Work], stream: torch.cuda.Stream) -> Replay:
    """Return what replays a graph of such kernels on a stream."""
    with torch.cuda.stream(stream):
        work = make()
        for _ in range(3):
            work()
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            for _ in range(KERNELS):
                work()
    return partial(replay, graph, stream, work)


def replays_a_second(replays: Sequence[Replay], seconds: float) -> float:
    """Replay all in turn for about so many seconds, the third time; return how many that is a second."""
    rounds, found = 10, 0.0
    for _ in range(3):
        synchronise(GPU)
        started = time.perf_counter()
        for _ in range(rounds):
            for once in replays:
                once()
        synchronise(GPU)
        passed = time.perf_counter() - started
        found, rounds = rounds * len(replays) / passed, max(10, int(rounds * seconds / passed))
    return found


def steps(count: int) -> list[Replay]:
    """Return the replays of the steps of so many runs of `dcgan`, compiled, in bfloat16, with all that saves work."""
    together = Together(plan(CASES[0], 64, count, joined=True), MODES["compiled, bfloat16"], GPU)
    for _ in range(6):
        together.step()
    return [partial(replay, only_graph(trainer), context.stream, trainer) for context, trainer in together.runs]


def only_graph(trainer: Trainer) -> torch.cuda.CUDAGraph:
    """Return the graph of a run's steps, all of which are alike."""
    assert trainer.capture is not None
    (graph,) = trainer.capture.graphs.values()
    return graph


def replay(graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream, kept: object) -> None:
    """Replay a graph on a stream; what is `kept` holds its data."""
    with torch.cuda.stream(stream):
        graph.replay()


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", default="1,2,4,8,16")
    parser.add_argument("--seconds", type=float, default=0.2)
    given = parser.parse_args()
    counts = list(map(int, given.streams.split(",")))
    print(f"{machine(GPU)}\n\n| dcgan + bce, batch 64, replayed alone | images/s, all together |", flush=True)
    print("|---:|---:|")
    for count in counts:
        print(f"| {count} | {64 * replays_a_second(steps(count), given.seconds):,.0f} |", flush=True)
    print("\n| kernels | streams | kernels a second, all together | times the first |\n|---|---:|---:|---:|")
    for name, make in KINDS.items():
        first = 0.0
        for count in counts:
            graphs = [captured(make, torch.cuda.Stream(GPU)) for _ in range(count)]
            speed = KERNELS * replays_a_second(graphs, given.seconds)
            first = first or speed
            print(f"| {name} | {count} | {speed:,.0f} | {speed / first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
