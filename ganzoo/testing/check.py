"""One claim about a component: what is checked, why it matters, and what to do where it fails. No torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ganzoo.api import Kind
from ganzoo.testing.subject import Subject

MOST_NAMED = 3
KINDS: tuple[Kind, ...] = get_args(Kind)
Stage = Literal["spec", "description", "import", "target", "contract", "behaviour", "training"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In this order; what stands on a stage that failed is not tried, so that a fault is named once and at its root."""


class BrokenClaimError(AssertionError):
    """The component does not do what is checked; the message says what it does instead, on one line."""


class NotTried(Exception):  # noqa: N818 - being left out is no error
    """The check means nothing here, and why: no CUDA, data that is not on this machine, partners that do not fit."""


@dataclass(frozen=True)
class Check:
    """A check of some kinds of components."""

    name: str
    kinds: Collection[Kind]
    stage: Stage
    reason: str
    """What goes wrong for users where this is not so, on one line."""
    fix: str
    """What to do where it fails, on one line."""
    run: Callable[[Subject], None]
    """Returns where all is well; raises BrokenClaimError or NotTried."""


def check(
    name: str, kinds: Collection[Kind], stage: Stage, *, fix: str
) -> Callable[[Callable[[Subject], None]], Check]:
    """Make a check of a function, whose docstring is the reason."""

    def made(function: Callable[[Subject], None]) -> Check:
        reason = " ".join((function.__doc__ or "").split())
        return Check(name, kinds, stage, reason, fix, function)

    return made


def require(holds: object, otherwise: str) -> None:
    """Raise BrokenClaimError where something does not hold."""
    if not holds:
        raise BrokenClaimError(otherwise)


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
