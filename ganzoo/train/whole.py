"""A player's step, from its images to its objective, compiled as a whole: the losses with the passes that they judge."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganzoo.api import Player
from ganzoo.errors import one_line
from ganzoo.train.apart import apart
from ganzoo.train.computed import computed_weights
from ganzoo.train.game import Game
from ganzoo.train.passes import Compiled, compiled
from ganzoo.train.step import PlayerStep, Settled, TermsOf, settled


class Whole:
    """Compiles `settled` for the steps that judge nothing but their own images; else it does as it does.

    What is compiled can be differentiated once, and computes weights once. So a player's first step, which is not
    compiled, tells whether the others may be.
    """

    def __init__(self, once: Compiled, tell: Callable[[str], None]) -> None:
        """Compile nothing yet; `tell` is told where losses cannot be compiled, once."""
        self.once, self.tell = once, tell
        self.compiled = compiled(alone)
        self.fits: dict[Player, bool] = {}

    def __call__(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return what a player minimises in a step."""
        player, judge = step.player, step.judged_by
        differentiated = any(component.differentiates for component in game.components)
        if self.fits.get(player) and not self.once.failed and not (player == "discriminator" and differentiated):
            found = self._compiled(terms_of, game, step, one)
            if found is not None:
                return found
        found = settled(terms_of, game, step, one)
        if player not in self.fits:
            self.fits[player] = step.judged_by == judge and step.judges_its_own(_most_passes(game, step))
        return found

    def _compiled(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled | None:
        networks = (game.networks.body, game.networks.head)
        joint = step.judged_together_by is not None
        step.most_passes = _most_passes(game, step)
        try:
            with apart(networks, 2 if joint else 1), self.once.computing(networks):
                return self.compiled(terms_of, game, step, one)
        except Exception as error:  # whatever a loss does that the compiler cannot follow
            self.fits[step.player] = False
            self.tell(f"losses are not compiled: {one_line(error)[:300]}")
            step.most_passes = None
            return None


def alone(terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
    """Do as `settled` does, and leave nothing else of the step: what is compiled would return that, and its gradient."""
    found = settled(terms_of, game, step, one)
    step.forget()
    return found


def _most_passes(game: Game, step: PlayerStep) -> int:
    """Return how often the discriminator may judge in a step that is compiled as a whole."""
    single = step.judged_together_by or computed_weights((game.networks.body, game.networks.head))
    return 1 if single else 2
