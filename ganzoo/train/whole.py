"""A player's step from its images to its objective, compiled as a whole: a loss with the passes that it judges by."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ganzoo.api import Loss, Player, Trick
from ganzoo.errors import one_line
from ganzoo.train.apart import apart
from ganzoo.train.computed import computed_weights
from ganzoo.train.game import Game
from ganzoo.train.passes import Compiled, backend, compiled
from ganzoo.train.step import OTHERWISE, PlayerStep, Settled, TermsOf, settled

ANEW = 8
"""How often a player's steps may be compiled in a run: whose numbers change from step to step is better not."""

REASONS = {"Variable(Generator)": "with tricks, they draw random numbers by a generator"}
"""By what the compiler says of them."""


class Whole:
    """Does as `settled` does, compiled where a step judges nothing but its own images.

    What is compiled can be differentiated once, and computes each weight once. So a player's first step, which is not
    compiled, tells whether the others may be.
    """

    def __init__(self, once: Compiled, tell: Callable[[str], None]) -> None:
        """Compile nothing yet; `tell` is told where losses cannot be compiled, once."""
        self.once, self.tell = once, tell
        self.compiled = compiled(alone)
        self.fits: dict[Player, bool] = {}
        """Whether a player's steps may be compiled."""
        self.made: Counter[Player] = Counter()

    def __call__(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return what a player minimises in a step."""
        player, failure = step.player, None
        twice = player == "discriminator" and any(component.differentiates for component in game.components)
        if self.fits.get(player) and not twice and not self.once.failed:
            try:
                return self._compiled(terms_of, game, step, one)
            except Exception as error:  # whatever a loss or a trick does that the compiler cannot follow
                failure, step.most_passes = error, None
        found = settled(terms_of, game, step, one)  # where compiling has failed, nothing has run yet
        own = step.judges_its_own(_most_passes(game, step))
        if failure:
            self._give_up(player, _reason(failure) if own else OTHERWISE)
        self.fits.setdefault(player, own and not any(map(_misread, game.components)))
        return found

    def _compiled(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return the same, compiled."""
        networks = (game.networks.body, game.networks.head)
        step.most_passes = _most_passes(game, step)
        before = backend.made
        with apart(networks, 2 if step.judged_together_by else 1), self.once.computing(networks):
            found = self.compiled(terms_of, game, step, one)
        self.made[step.player] += backend.made - before
        if self.made[step.player] > ANEW:
            self._give_up(step.player, "what they decide changes from step to step")
        return found

    def _give_up(self, player: Player, reason: str) -> None:
        if all(self.fits.values()):
            self.tell(f"losses are not compiled: {reason}")
        self.fits[player] = False


def alone(terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
    """Do as `settled` does, and leave nothing else of the step, which would be returned, and so have a gradient."""
    found = settled(terms_of, game, step, one)
    step.forget()
    return found


def _most_passes(game: Game, step: PlayerStep) -> int:
    """Return how often the discriminator may judge in a step that is compiled."""
    single = step.judged_together_by or computed_weights((game.networks.body, game.networks.head))
    return 1 if single else 2


def _misread(component: Loss[Any] | Trick[Any]) -> bool:
    """Whether a component keeps a queue of Python's, which the compiler gets wrong.

    PyTorch 2.15's reads what an append has just dropped from a deque, and forgets which key of an OrderedDict moved.
    """
    return any(isinstance(value, deque | OrderedDict) for value in vars(component).values())


def _reason(error: Exception) -> str:
    """Return why something could not be compiled, without the compiler's own words where the reason is known."""
    text = one_line(error)
    known = (reason for sign, reason in REASONS.items() if sign in text)
    return next(known, text[:300])
