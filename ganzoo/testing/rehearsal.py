"""A small game for a component to be tried in: built-in partners, random images, no files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ganzoo
from ganzoo.api import Images, Kind, Player, Setting, Terms
from ganzoo.errors import GanzooError, IncompatibleError
from ganzoo.planning.grid import NONE_WORKS
from ganzoo.planning.run import Run
from ganzoo.registry.lookup import installed
from ganzoo.registry.provenance import CORE
from ganzoo.testing.check import BrokenClaimError, NotTried
from ganzoo.testing.subject import Subject
from ganzoo.train.execution import EAGER, Execution
from ganzoo.train.game import build_game
from ganzoo.train.step import Batch, PlayerStep, discriminator_terms, frozen, generator_terms, total
from ganzoo.train.trainer import PLAYERS, Trainer

CPU = torch.device("cpu")
META = torch.device("meta")
"""PyTorch's device without memory: it computes shapes, and refuses tensors of another."""
USUAL = {"architecture": f"{CORE}/mlp", "loss": f"{CORE}/bce", "dataset": f"{CORE}/digits"}
"""The partners that are tried first: they go with almost everything, and are small."""
DATASETS = ("digits", "mnist", "cifar10", "stacked-mnist", "ring")
"""Of five shapes, known without a file: 1x8x8, 1x28x28, 3x32x32, 3x28x28 and points in the plane."""
SMALL = {"width": 16, "critic_width": 16, "latent": 32, "generator": (32, 32), "discriminator": (32, 32)}
"""What makes a built-in partner small, where it has such a parameter. What is checked keeps its own values."""
SHORT = {"steps": 2}
"""Likewise of a trick: ten unrolled steps through a penalty's second derivative would never end."""
BATCH = 12
"""Images in a batch: a multiple of every group and pack that is usual."""
FEW = 64
"""Random images that stand for a dataset."""
Asked = dict[str, Any]


def partners(kind: Kind, subject: Subject) -> list[str]:
    """Return the full names of what the subject is tried with: the built-ins, and what its own distribution brings."""
    own = (CORE, subject.component.distribution)
    found = [one for one in installed().of(kind) if one.distribution in own and one.spec is not None]
    names = [one.full_name for one in found if one.full_name != subject.component.full_name]
    return sorted(names, key=lambda name: name != USUAL.get(kind))


def asked(kind: Kind, name: str) -> Asked:
    """Return a partner, small, as a plan is asked for it."""
    small = {"architecture": SMALL, "trick": SHORT}.get(kind, {})
    known = _parameters(kind, name) if small else ()
    return {"name": name, **{key: value for key, value in small.items() if key in known}}


@cache
def _parameters(kind: Kind, name: str) -> tuple[str, ...]:
    return tuple(Subject(installed().get(kind, name)).parameters())


def own(subject: Subject) -> Asked:
    """Return the subject as a plan is asked for it."""
    return {"name": subject.component.full_name, **subject.values}


def plan(steps: int = 100, **request: Any) -> Run:
    """Return the run of one combination, with a small batch and one discriminator step a generator step.

    Raises:
        IncompatibleError: it cannot work, and why.
    """
    recipe = {"steps": steps, "batch_size": BATCH, "n_critic": 1, **request.pop("recipe", {})}
    return ganzoo.plan(**request, recipe=recipe).runs[0]


class NoPartnersError(BrokenClaimError):
    """The plan refuses a component with every built-in; `reason` is why it refuses the first."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the plan refuses it with every built-in: {reason}")
        self.reason = reason


def reasons(error: IncompatibleError) -> str:
    """Return why the plan refuses a combination, without the words that lead up to it."""
    return str(error).removeprefix(NONE_WORKS)


def first_run(subject: Subject, **fixed: Asked) -> Run:
    """Return the run of the subject with the first partners that it works with; `fixed` names some of them.

    Raises:
        NoPartnersError: it works with none.
    """
    refused = ""
    for request in _requests(subject, fixed):
        try:
            return plan(**request)
        except IncompatibleError as error:
            refused = refused or reasons(error)
    raise NoPartnersError(refused)


def _requests(subject: Subject, fixed: dict[str, Asked]) -> Iterator[dict[str, Any]]:
    kind = subject.component.kind
    mine = {"model" if kind == "architecture" else kind: own(subject)}
    models = [asked("architecture", name) for name in partners("architecture", subject)]
    losses = [asked("loss", name) for name in partners("loss", subject)]
    for loss, dataset, model in itertools.product(losses, DATASETS, models):
        yield {"model": model, "loss": loss, "dataset": dataset} | mine | fixed


def random_images(run: Run) -> Images:
    """Return noise of a run's shape and dtype, with labels of the run's classes, or of ten."""
    rng = np.random.default_rng(0)
    labels = np.arange(FEW) % (run.classes or 10)
    if run.dtype == "float32":
        return Images(rng.uniform(-1, 1, (FEW, *run.shape)).astype(np.float32), labels)
    return Images(rng.integers(0, 256, (FEW, *run.shape), dtype=np.uint8), labels)


def trainer(run: Run, device: torch.device = CPU, execution: Execution = EAGER) -> Trainer:
    """Return a run's trainer, at its start, on random images."""
    return Trainer(run, random_images(run), device, log_every=1000, execution=execution)


class Elsewhere(torch.Generator):
    """Stands for a generator of another device than the CPU: `meta` has none."""

    device = META


class Scene:
    """A run's networks, loss and tricks before the first step. Equal runs and seeds give equal scenes and steps."""

    def __init__(
        self, run: Run, device: torch.device = CPU, memory_format: torch.memory_format = torch.contiguous_format
    ) -> None:
        """Build everything on a device, with weights and real images in a memory format."""
        self.run, self.device, self.memory_format = run, device, memory_format
        self.game = build_game(run, device)
        self.modules = {player: self.game.modules(player) for player in PLAYERS}
        for modules in self.modules.values():
            modules.to(memory_format=memory_format)

    def step(self, player: Player, seed: int = 0) -> PlayerStep:
        """Return a player's step on random real images and on what the generator draws."""
        rng = (Elsewhere() if self.device == META else torch.Generator(self.device)).manual_seed(seed)
        real = torch.rand(BATCH, *self.run.shape, generator=rng, device=self.device) * 2 - 1
        labels = torch.randint(self.run.classes or 10, (BATCH,), generator=rng, device=self.device)
        for _, trick in self.game.tricks:
            real = trick.real(real, rng)
        real = real.contiguous(memory_format=self.memory_format)
        with torch.set_grad_enabled(player == "generator"):
            z = self.game.latents(BATCH, rng)
            fake = self.game.networks.generator(z, labels if self.game.setting.classes else None)
        batch = Batch(real, fake, z, labels)
        step = PlayerStep(player, 0, batch, rng, self.game.judge, self.game.setting.packing)
        if player == "discriminator":
            for name in {name for component in self.game.components for name in component.differentiates}:
                getattr(step, name).requires_grad_()
        return step

    def terms(self, player: Player, step: PlayerStep | None = None) -> Terms:
        """Return all that a player minimises, the discriminator's weights held still in the generator's step."""
        step = step or self.step(player)
        if player == "discriminator":
            return discriminator_terms(self.game, step)
        with frozen(self.modules["discriminator"]):
            return generator_terms(self.game, step)

    def objective(self, player: Player) -> Tensor:
        """Return the sum of a player's terms."""
        return total(self.terms(player))


def settings(subject: Subject, shapes: Sequence[tuple[int, int, int]]) -> Iterator[Setting]:
    """Yield every setting of these shapes, with classes and without, that an architecture does not refuse."""
    chosen = subject.chosen
    for shape, classes, packing in itertools.product(shapes, (0, 10), (1, 2)):
        setting = Setting(shape, classes, packing)
        if not (subject.spec.refuse and chosen.ask("refuse", chosen.params, setting)):
            yield setting


def refusal(**request: Any) -> str:
    """Return why the plan refuses a combination; empty where it does not."""
    try:
        plan(**request)
    except IncompatibleError as error:
        return reasons(error)
    except GanzooError as error:
        raise NotTried(str(error)) from None
    return ""
