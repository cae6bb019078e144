"""A player's step from its images to its objective, compiled as a whole: a loss with the passes that it judges by."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import OutOfMemoryError, Tensor
from torch.optim import Optimizer

from ganzoo.api import Player
from ganzoo.errors import DeviceError, one_line
from ganzoo.train.apart import norms_apart
from ganzoo.train.capture import kept
from ganzoo.train.computed import computed_weights
from ganzoo.train.game import Game
from ganzoo.train.passes import Compiled, backend, compiled
from ganzoo.train.step import OTHERWISE, PlayerStep, Settled, TermsOf, settled

MISREAD = (deque, OrderedDict)
"""PyTorch 2.15's compiler reads what an append has just dropped from a deque, and forgets which key of an OrderedDict
moved."""

ANEW = 8
"""How often a player's steps may be compiled in a run; more means that their Python values change at every step."""

DRAWS = "Variable(Generator)"
"""In the compiler's error when random numbers are drawn from a generator, which it does not support."""


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
        self.gradients: dict[Player, list[bool]] = {}
        """Which of a player's weights had any in the first step; emptied when the second has been compared."""
        self.reason = ""
        """Why not, where the compiler said so first."""

    def __call__(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return what a player minimises in a step."""
        player, failure = step.player, None
        twice = player == "discriminator" and any(component.differentiates for component in game.components)
        if self.fits.get(player) and not twice and not self.once.failed:
            try:
                return self._compiled(terms_of, game, step, one)
            except OutOfMemoryError:  # of what is compiled, and may have changed state by then
                raise
            except Exception as error:  # whatever a loss or a trick does that the compiler cannot follow
                failure, step.most_passes = error, None
        if player not in self.fits:
            return self._first(terms_of, game, step, one)
        found = settled(terms_of, game, step, one)  # where compiling has failed, nothing has run yet
        if failure:
            own = step.judges_its_own(_most_passes(game, step))
            self._give_up(player, _reason(failure) if own else OTHERWISE)
        return found

    def _first(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return the same of a player's first step; find out whether the others may be compiled."""
        before = [kept(vars(component), MISREAD) for component in game.components]
        self.once.resting = True  # nothing is compiled that the other steps will not need
        try:
            found = settled(terms_of, game, step, one)
        finally:
            self.once.resting = False
        steady = before == [kept(vars(component), MISREAD) for component in game.components]
        self.fits[step.player] = steady and step.judges_its_own(_most_passes(game, step))
        return found

    def _compiled(self, terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
        """Return the same, compiled."""
        networks = (game.networks.body, game.networks.head)
        step.most_passes = _most_passes(game, step)
        before = backend.made
        with norms_apart(networks, 2 if step.judged_together_by else 1), self.once.computing(networks):
            found = self.compiled(terms_of, game, step, one)
        self.made[step.player] += backend.made - before
        if self.made[step.player] > ANEW:
            self._give_up(step.player, "what they decide changes from step to step")
        return found

    def look(self, player: Player, optimizer: Optimizer) -> None:
        """Compare which weights have gradients in a player's second step with the first, which is not compiled.

        Raises:
            DeviceError: the compiler has lost most of them, as PyTorch 2.11's did once in silence (see `AtOnce`).
        """
        before = self.gradients.get(player)
        if before == []:
            return
        weights = [one for group in optimizer.param_groups for one in group["params"]]
        now = [one.grad is not None and bool(one.grad.any()) for one in weights]
        self.gradients[player] = now if before is None else []
        lost = sum(had and not has for had, has in zip(before or [], now, strict=False))
        if any(now) and lost > sum(before or []) / 2:  # a loss that is satisfied has none at all
            raise DeviceError(
                f"PyTorch {torch.__version__} compiles networks so that {lost} of the {player}'s weights have no "
                "gradients, which they have otherwise; use another --mode, or another version of PyTorch"
            )

    def _give_up(self, player: Player, reason: str) -> None:
        self.fits[player] = False
        if not self.reason:
            self._say(reason)

    def _say(self, reason: str) -> None:
        self.reason = reason
        self.tell(f"losses are not compiled: {reason}")

    def state_dict(self) -> dict[str, Any]:
        """Return what is known of the steps, so that a run that is continued has no first one again."""
        return {"fits": dict(self.fits), "reason": self.reason}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with what `state_dict` returned, and tell again what was told, since it still holds."""
        self.fits.update(state["fits"])
        if state["reason"]:
            self._say(state["reason"])


def alone(terms_of: TermsOf, game: Game, step: PlayerStep, one: Tensor) -> Settled:
    """Do as `settled` does, and clear the step: the compiler would return what it holds, with gradients."""
    found = settled(terms_of, game, step, one)
    step.forget()
    return found


def _most_passes(game: Game, step: PlayerStep) -> int:
    """Return how often the discriminator may judge in a step that is compiled."""
    single = step.judged_together_by or computed_weights((game.networks.body, game.networks.head))
    return 1 if single else 2


def _reason(error: Exception) -> str:
    """Return why something could not be compiled, without the compiler's own words where the reason is known."""
    text = one_line(error)
    if DRAWS in text:
        return "they, or tricks, draw random numbers by a generator"
    return re.split(r" (?:Hint|Developer debug context): ", text)[0][:300]
