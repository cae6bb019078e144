"""One player's step: a pure function of tensors, explicit generators, and state changed in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganzoo.api import Player, Targets, Terms, Verdict
from ganzoo.errors import ContractError
from ganzoo.train.game import Game


class PlayerStep:
    """What a loss or trick sees of one player's step; fulfils `ganzoo.api.Step`."""

    def __init__(
        self,
        number: int,
        real: Tensor,
        fake: Tensor,
        latent: Tensor,
        labels: Tensor | None,
        *,
        rng: torch.Generator,
        judge: Callable[[Tensor, Tensor | None, torch.Generator], Verdict],
    ) -> None:
        self.number = number
        self.real = real
        self.fake = fake
        self.latent = latent
        self.labels = labels
        self.rng = rng
        self.targets = Targets(real.new_ones(len(real)), fake.new_zeros(len(fake)))
        self._judge = judge
        self._verdicts: list[tuple[Tensor, Verdict]] = []

    def judge(self, images: Tensor) -> Verdict:
        """Return the discriminator's verdict on images, from one pass however often it is asked."""
        for seen, verdict in self._verdicts:
            if seen is images:
                return verdict
        verdict = self._judge(images, self.labels, self.rng)
        self._verdicts.append((images, verdict))
        return verdict


def discriminator_terms(game: Game, step: PlayerStep) -> Terms:
    """Return all that the discriminator minimises, by `component/term`."""
    components = [game.loss[1], *(trick for _, trick in game.tricks)]
    differentiated = {batch for component in components for batch in component.differentiates}
    for batch in differentiated:
        getattr(step, batch).requires_grad_()
    for _, trick in game.tricks:
        step.targets = trick.targets(step.targets, step)
    return _collect(game, step, "discriminator")


def generator_terms(game: Game, step: PlayerStep) -> Terms:
    """Return all that the generator minimises, by `component/term`."""
    return _collect(game, step, "generator")


def _collect(game: Game, step: PlayerStep, player: Player) -> Terms:
    replaced = any(player in trick.replaces for _, trick in game.tricks)
    terms: Terms = {}
    for name, component in [*([] if replaced else [game.loss]), *game.tricks]:
        for term, value in getattr(component, player)(step).items():
            if not isinstance(value, Tensor) or value.ndim:
                raise ContractError(f"{name}: its {player} term {term} must be a tensor holding one number")
            terms[f"{name}/{term}"] = value
    if not terms:
        raise ContractError(f"{game.loss[0]} gave the {player} nothing to minimise")
    return terms


def update(optimizer: torch.optim.Optimizer, terms: Terms) -> Tensor:
    """Sum the terms into one objective, differentiate once, step once; return the objective, detached."""
    objective = torch.stack(list(terms.values())).sum()
    optimizer.zero_grad(set_to_none=True)
    objective.backward()
    optimizer.step()
    return objective.detach()


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
