"""How fast ganzoo trains, beside the loop that tutorials teach and two packages: same networks, same batch, in turn.

    python benchmarks/speed/measure.py [--device cuda] [--batch 64,512] [--rounds 5] [--seconds 2] [--only dcgan] \
        [--together 1,8] [--beside FILE]

Every contestant trains for some seconds a round, in turn, so that a slow moment hits all of them. Printed as Markdown:
real images a second (the discriminator's, each of which has a generated one beside it), and the ratio to the tutorial
loop within a round, as median and range.
"""

from __future__ import annotations

import argparse
import signal
import statistics
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from grid import Grid
from instruments import Contestant, Turn, kernels, launches, machine, operations, peak, steps_a_second, tune_alone
from peers import PEERS, peers
from tutorial import Tutorial

import ganzoo
from ganzoo.api import Images, Setting
from ganzoo.engine.crew import TurnContext
from ganzoo.engine.messages import Options
from ganzoo.planning.run import Run
from ganzoo.registry.lookup import build_target
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import Trainer

COUNT = 4096
"""Images to train on: noise, which takes as long as pictures."""


class Case(NamedTuple):
    """A combination, and what the tutorial loop needs to know of it."""

    model: str
    loss: str
    trick: str = ""
    n_critic: int = 1

    @property
    def label(self) -> str:
        """Return the combination's name."""
        return " + ".join(filter(None, (self.model, self.loss, self.trick)))


CASES = (Case("dcgan", "bce"), Case("resnet", "hinge", "spectral-norm"), Case("resnet:pool=mean", "wgan-gp", "", 5))
MODES = {
    "eager, float32": Execution(),
    "fast, float32": Execution(channels_last=True),
    "fast, bfloat16": Execution(channels_last=True, precision="bf16"),
    "graph, float32": Execution(graph=True),
    "graph, TF32": Execution(graph=True, channels_last=True, precision="tf32"),
    "graph, bfloat16": Execution(graph=True, channels_last=True, precision="bf16"),
    "compiled, bfloat16": Execution(graph=True, channels_last=True, compiled=True, precision="bf16"),
    "compiled, TF32": Execution(graph=True, channels_last=True, compiled=True, precision="tf32"),
}
FASTEST = {"cpu": ("fast, float32", "fast, bfloat16"), "cuda": ("compiled, bfloat16",)}
"""By kind of device: the modes that are also measured with a recipe that computes less."""
JOINED = ", images reused and passes joined"
LOOPS = ("tutorial loop", *PEERS)
"""Contestants that are not ganzoo."""

Key = TypeVar("Key", bound=Hashable)


def main() -> None:
    """Measure and print a table for each case and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", default="64")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--modes", default="", help="of ganzoo, by their first words, e.g. graph,compiled bfloat16; default: all"
    )
    parser.add_argument("--busy", action="store_true", help="others use this CPU, too: count this process's own time")
    parser.add_argument("--together", default="", help="instead: runs at a time on one GPU, e.g. 1,8")
    parser.add_argument("--beside", default="", help="a file's name, given to all that get warm at once on one GPU")
    parser.add_argument("--kernels", type=int, default=0, help="also name so many kernels that take most of a step")
    given = parser.parse_args()
    device = torch.device(given.device, 0) if given.device == "cuda" else torch.device(given.device)
    torch.set_num_threads(given.threads)
    print(machine(device), flush=True)
    most = peak(device, given.busy) if device.type == "cpu" else 0.0  # a GPU's in this process's turn
    turn = Turn(given.beside)
    if given.beside:
        tune_alone(f"{given.beside}-tuning")
    for case in (case for case in CASES if case.label.startswith(given.only)):
        for batch in map(int, given.batch.split(",")):
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
            turn.share()
            if given.together:
                by = ways(device, tuple(given.modes.split(",")), ("graph", "compiled"))
                counts = list(map(int, given.together.split(",")))
                print(together(case, batch, device, by, counts, given.rounds, given.seconds, turn), flush=True)
                continue
            apart = device.type == "cpu" and not (given.busy or given.kernels)
            found = contestants(case, batch, device, tuple(given.modes.split(",")), apart)
            print(table(case, batch, found, device, given.rounds, given.seconds, given.busy, turn, most), flush=True)
            for name in (name for name in found if given.kernels and name.startswith(FASTEST[device.type])):
                print(kernels(name, found[name], device, given.kernels), flush=True)


def plan(case: Case, batch: int, seeds: int = 1, joined: bool = False) -> Sequence[Run]:
    """Return the runs of a case."""
    recipe = {"batch_size": batch, "n_critic": case.n_critic, "steps": 10**6}
    recipe |= {"reuse_fakes": joined, "joint_pass": joined}
    request = {"model": case.model, "loss": case.loss, **({"trick": case.trick} if case.trick else {})}
    return ganzoo.plan(dataset="cifar10", recipe=recipe, seeds=seeds, **request).runs


def noise() -> np.ndarray:
    """Return images to train on."""
    return np.random.default_rng(0).integers(0, 256, (COUNT, 3, 32, 32), dtype=np.uint8)


class Way(NamedTuple):
    """How ganzoo trains."""

    execution: Execution
    joined: bool
    """Whether the recipe computes less: images are reused, and real and generated ones share a pass."""


def ways(device: torch.device, modes: tuple[str, ...], kinds: tuple[str, ...] = ("",)) -> dict[str, Way]:
    """Return those that a device has, of these modes and kinds, each given by how its name begins."""
    found: dict[str, Way] = {}
    for name, execution in MODES.items():
        wanted = name.replace(",", "").startswith(modes) and name.startswith(kinds)
        if wanted and (device.type == "cuda" or not execution.graph):
            found[name] = Way(execution, joined=False)
            if name in FASTEST[device.type]:
                found[name + JOINED] = Way(execution, joined=True)
    return found


def contestants(
    case: Case, batch: int, device: torch.device, modes: tuple[str, ...], apart: bool
) -> dict[str, Contestant]:
    """Return the tutorial loop, the peers that are installed, and ganzoo in each of the modes that the device has.

    Where ganzoo's runs are `apart`, each is in a process of its own, whose memory is kept, as `ganzoo bench` has it.
    """
    pixels = noise()
    (run,) = plan(case, batch)
    cores = torch.get_num_threads() if device.type == "cpu" else 1

    def tutorial() -> Tutorial:
        networks = build_target(run.architecture.component)(run.architecture.typed_params, Setting((3, 32, 32)))
        return Tutorial(networks, case.loss, case.n_critic, batch, pixels, device)

    found: dict[str, Contestant] = {"tutorial loop": tutorial(), **peers(tutorial, case.loss)}
    for name, way in ways(device, modes).items():
        (one,) = plan(case, batch, joined=way.joined)
        if apart:
            found[name] = Grid((one,), way.execution, pixels, cores)
        else:
            found[name] = Trainer(one, Images(pixels, None), device, 10**6, way.execution, print)
    if cores > 1:
        for name, way in ways(device, modes, FASTEST["cpu"]).items():
            runs = plan(case, batch, cores, way.joined)
            found[f"{cores} runs of a thread, {name}"] = Grid(runs, way.execution, pixels)
    return found


def in_turn(found: dict[Key, Any], speed: Callable[[Key], float], rounds: int, turn: Turn) -> dict[Key, list[float]]:
    """Measure each in turn, after a round that warms up; Ctrl-C in that round leaves out what is not yet warm.

    Nobody else measures meanwhile, of those that share the turn; Ctrl-C is for those of them that are not warm then.
    """
    speeds: dict[Key, list[float]] = {}
    try:
        for key in found:
            speed(key)
            speeds[key] = []
    except KeyboardInterrupt:
        if not speeds:
            raise
        left = [key for key in found if key not in speeds]
        print(f"interrupted; left out: {', '.join(map(str, left))}\n", flush=True)
        for key in left:
            del found[key]
    if turn.shared:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    turn.take()
    for _ in range(rounds):
        for key, of in speeds.items():
            of.append(speed(key))
    return speeds


def table(
    case: Case, batch: int, found: dict[str, Contestant], device: torch.device, rounds: int, seconds: float, busy: bool,
    turn: Turn, most: float,
) -> str:  # fmt: skip
    """Measure one case and return its table; `most` operations a second are the peak, measured here if it is 0."""
    flops = {
        joined: operations(Trainer(plan(case, batch, joined=joined)[0], Images(noise(), None), device, 10**6))
        for joined in (False, True)
    } | {name: operations(found[name]) for name in LOOPS if name in found}

    def speed(name: str) -> float:
        torch.backends.cudnn.allow_tf32 = name in LOOPS  # as PyTorch has it by default
        runs = len(one.pipes) if isinstance(one := found[name], Grid) else 1
        return runs * batch * case.n_critic * steps_a_second(one, seconds, device, busy)

    speeds = in_turn(found, speed, rounds, turn)
    most, first = most or peak(device, busy), speeds["tutorial loop"]
    lines = [
        f"bfloat16 matrix products: {most / 1e12:.2f} TFLOP/s measured\n",
        f"| {case.label}, batch {batch} | images/s | times the tutorial loop | range | share of the bfloat16 peak |"
        + (" launches a step |" if device.type == "cuda" else ""),
        "|---|---:|---:|---:|---:|" + ("---:|" if device.type == "cuda" else ""),
    ]
    for name, of in speeds.items():
        ratios = [mine / its for mine, its in zip(of, first, strict=True)]
        median = statistics.median(of)
        share = median / batch / case.n_critic * flops[name if name in LOOPS else name.endswith(JOINED)] / most
        lines.append(
            f"| {name} | {median:,.{0 if median > 99 else 1}f} | {statistics.median(ratios):.2f} | "
            f"{min(ratios):.2f} to {max(ratios):.2f} | {share:.1%} |"
            + (f" {launches(found[name])} |" if device.type == "cuda" else "")
        )
    return "\n".join([*lines, ""])


class Together:
    """Several runs on one GPU, a step of each in turn."""

    def __init__(self, runs: Sequence[Run], execution: Execution, device: torch.device, steps: int = 10**6) -> None:
        """Prepare so many steps at most: each has a row of memory for its terms."""
        options = Options(device=device.type, data_root="", cache="")
        images = Images(noise(), None)
        self.runs: list[tuple[TurnContext, Trainer]] = []
        for run in runs:
            context = TurnContext(options)
            with context.entered():
                self.runs.append((context, Trainer(run, images, device, steps, execution, print)))

    def step(self) -> None:
        """Train one generator step of each."""
        for context, trainer in self.runs:
            with context.entered():
                trainer.step()


def together(
    case: Case, batch: int, device: torch.device, by: dict[str, Way], counts: list[int], rounds: int, seconds: float,
    turn: Turn,
) -> str:  # fmt: skip
    """Measure how fast several runs are at once, in turn with one alone, and return the table."""
    found = {
        (name, n): Together(plan(case, batch, n, way.joined), way.execution, device)
        for name, way in by.items()
        for n in counts
    }

    def speed(key: tuple[str, int]) -> float:
        return key[1] * batch * case.n_critic * steps_a_second(found[key], seconds, device)

    speeds = in_turn(found, speed, rounds, turn)
    lines = [f"| {case.label}, batch {batch} | runs at once | images/s, all together | times the first |"]
    lines.append("|---|---:|---:|---:|")
    for (name, n), of in speeds.items():
        ratios = [mine / its for mine, its in zip(of, speeds[name, counts[0]], strict=True)]
        lines.append(f"| {name} | {n} | {statistics.median(of):,.0f} | {statistics.median(ratios):.2f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
