"""One player's step: a pure function of tensors, explicit generators, and state changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.api import Opponent, Player, Step, Targets, Terms, Verdict
from ganzoo.errors import ContractError
from ganzoo.train.game import Game

OTHERWISE = "the discriminator judges other images, more often, or at other weights, than in the first step"


class Batch(NamedTuple):
    """What one player's step works on."""

    real: Tensor | Callable[[], Tensor]
    """The images, or a function that draws them when they are first asked for."""
    fake: Tensor
    latent: Tensor
    labels: Tensor | None


Judge = Callable[[Tensor, Step], Verdict]
"""Images (N, C, H, W) and the step that asks -> the discriminator's verdict."""
JudgeTogether = Callable[[Sequence[Tensor], Step], list[Verdict]]
"""The same for several batches, in one pass."""


class PlayerStep:
    """What a loss or trick sees of one player's step; fulfils `ganzoo.api.Step`."""

    def __init__(
        self, player: Player, number: int, batch: Batch, rng: torch.Generator, judge: Judge, packing: int = 1
    ) -> None:
        """Prepare a step in which the discriminator judges by a function and `packing` images together."""
        self.player: Player = player
        self.number = number
        real, self.fake, self.latent, self.labels = batch
        self._real, self._draw = (real, None) if isinstance(real, Tensor) else (None, real)
        self.rng = rng
        self.judged_by = judge
        self.judged_together_by: JudgeTogether | None = None
        """How real and fake images are judged, where that is one pass."""
        self.packing = packing
        self.most_passes: int | None = None
        """In a compiled step, how often the discriminator may still judge, and only the step's own images."""
        self._at_other_weights = False
        self._targets: Targets | None = None
        self._verdicts: list[tuple[Tensor, Verdict]] = []

    @property
    def real(self) -> Tensor:
        """The real images; drawn when they are first asked for where the batch says so."""
        if self._real is None:
            assert self._draw is not None
            self._real = self._draw()
        return self._real

    @property
    def targets(self) -> Targets:
        """1 for real and 0 for fake, until tricks change them."""
        if self._targets is None:
            answers = len(self.fake) // self.packing
            self._targets = Targets(self.fake.new_ones(answers), self.fake.new_zeros(answers))
        return self._targets

    @targets.setter
    def targets(self, targets: Targets) -> None:
        self._targets = targets

    def judge(self, images: Tensor) -> Verdict:
        """Return the discriminator's verdict on images, from one pass however often it is asked."""
        for seen, verdict in self._verdicts:
            if seen is images:
                return verdict
        if self.most_passes is not None:
            self._count(images)
        if self.judged_together_by and any(images is one for one in (self.real, self.fake)):
            both = (self.real, self.fake)
            self._verdicts += zip(both, self.judged_together_by(both, self), strict=True)
        else:
            self._verdicts.append((images, self.judged_by(images, self)))
        return self.judge(images)

    def _count(self, images: Tensor) -> None:
        """Count a pass of a step that is compiled as a whole."""
        if not self.most_passes or (images is not self.fake and images is not self.real):
            raise RuntimeError(OTHERWISE)
        self.most_passes -= 1

    def at_other_weights(self) -> None:
        """Note that the discriminator judges at other weights, too, which a compiled step cannot do."""
        self._at_other_weights = True
        if self.most_passes is not None:
            raise RuntimeError(OTHERWISE)

    def judges_its_own(self, passes: int) -> bool:
        """Whether only the step's own images have been judged yet, in so many passes at most, at one set of weights."""
        own = [self.fake, self._real]
        made = 1 if self.judged_together_by else len(self._verdicts)
        theirs = any(all(images is not one for one in own) for images, _ in self._verdicts)
        return made <= passes and not theirs and not self._at_other_weights

    def forget(self) -> None:
        """Drop what was judged and drawn."""
        self._verdicts.clear()
        self._targets = self._real = None


class Ahead:
    """The discriminator at weights that a trick may move; fulfils `ganzoo.api.Opponent`."""

    def __init__(self, game: Game, step: PlayerStep, weights: Mapping[str, Tensor] | None = None) -> None:
        self._game, self._step, self._weights = game, step, weights

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Return the weights by name: where none are given, a copy of its own, made when it is first asked for."""
        if self._weights is None:
            own = self._game.judging_weights()
            self._weights = {name: weight.detach().clone().requires_grad_() for name, weight in own}
        return self._weights

    def objective(self) -> Tensor:
        """Return what the discriminator would minimise on this step's batches, at these weights."""
        game, step = self._game, self._step
        step.at_other_weights()
        judge = partial(game.judge, weights=self.weights)
        batch = Batch(step.real, step.fake, step.latent, step.labels)
        seen = PlayerStep("discriminator", step.number, batch, step.rng, judge, game.setting.packing)
        return total(discriminator_terms(game, seen))

    def moved(self, weights: Mapping[str, Tensor]) -> Ahead:
        """Return the same discriminator at other weights."""
        return Ahead(self._game, self._step, weights)


def discriminator_terms(game: Game, step: PlayerStep) -> Terms:
    """Return all that the discriminator minimises, by `component/term`."""
    for batch in {batch for component in game.components for batch in component.differentiates}:
        images: Tensor = getattr(step, batch)
        if not images.requires_grad:
            images.requires_grad_()
    for _, trick in game.tricks:
        step.targets = trick.targets(step.targets, step)
    return _collect(game, step, "discriminator")


def generator_terms(game: Game, step: PlayerStep) -> Terms:
    """Return all that the generator minimises, by `component/term`."""
    own = Ahead(game, step)
    opponent: Opponent = own
    for _, trick in game.tricks:
        opponent = trick.opponent(opponent, step)
    if opponent is not own:
        step.at_other_weights()
        step.judged_by = partial(game.judge, weights=opponent.weights)
    return _collect(game, step, "generator")


def _collect(game: Game, step: PlayerStep, player: Player) -> Terms:
    replaced = any(player in trick.replaces for _, trick in game.tricks)
    terms: Terms = {}
    for name, component in [*([] if replaced else [game.loss]), *game.tricks]:
        for term, value in getattr(component, player)(step).items():
            if not isinstance(value, Tensor) or value.ndim:
                found = f"of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise ContractError(
                    f"{name}: its {player} term {term} must be a tensor holding one number, e.g. a mean, not {found}"
                )
            terms[f"{name}/{term}"] = value
    if not terms:
        raise ContractError(f"{game.loss[0]} gave the {player} nothing to minimise")
    return terms


def total(terms: Terms) -> Tensor:
    """Return one player's objective: the sum of all terms."""
    first, *others = terms.values()
    return sum(others, first)


class Settled(NamedTuple):
    """What a player minimises."""

    objective: Tensor
    names: tuple[str, ...]
    """Of the terms."""
    row: Tensor
    """(terms + 2,): the terms, the objective and a 1, detached."""


TermsOf = Callable[[Game, PlayerStep], Terms]
"""`discriminator_terms` or `generator_terms`."""


def settled(terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
    """Return what a player minimises in a step; `one`, of shape (1,), is 1 as it is recorded."""
    terms = terms_of(game, step)
    objective = total(terms)
    row = [*(value.detach().to(one).view(1) for value in (*terms.values(), objective)), one]
    return Settled(objective, tuple(terms), torch.cat(row))


def differentiate(optimizer: torch.optim.Optimizer, objective: Tensor, one: Tensor) -> None:
    """Give a player's weights their gradients; `one`, of shape (1,), is the 1 that PyTorch would make each time."""
    optimizer.zero_grad(set_to_none=True)
    objective.backward(one.to(objective.device).view_as(objective))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Keep gradients from being computed for a network's weights, while they flow through it."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
