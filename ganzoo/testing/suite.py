"""The checks of a component, in order, and carrying them out: what `ganzoo check` and pytest share."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

import ganzoo
from ganzoo.errors import one_line, words_of
from ganzoo.testing import data, description, engines, features, hooks, networks, passes, playing, target, training
from ganzoo.testing.check import STAGES, BrokenClaimError, Check, NotTried
from ganzoo.testing.combinations import combinations
from ganzoo.testing.subject import Subject

OWN = Path(ganzoo.__file__).parent
Verdict = Literal["passed", "failed", "skipped", "not tried"]
"""Skipped: the check means nothing here. Not tried: an earlier stage failed."""
ALL: tuple[Check, ...] = (
    *description.CHECKS,
    *target.CHECKS,
    *networks.CHECKS,
    *passes.CHECKS,
    *playing.CHECKS,
    *hooks.CHECKS,
    *data.CHECKS,
    *features.CHECKS,
    *engines.CHECKS,
    *training.CHECKS,
)


@dataclass(frozen=True)
class Outcome:
    """What came of one check."""

    check: Check
    verdict: Verdict
    message: str = ""
    """Why it failed or was left out, on one line."""

    @property
    def bad(self) -> bool:
        """Whether the component is at fault."""
        return self.verdict == "failed"


def checks(subject: Subject, together: bool = True) -> Iterator[Check]:
    """Yield the checks of a component, stage by stage; `together`: also training with every compatible built-in."""
    kind = subject.component.kind
    for stage in STAGES:
        yield from (one for one in ALL if kind in one.kinds and one.stage == stage)
    if together and subject.component.spec is not None:
        yield from combinations(subject)


def outcomes(
    subject: Subject, only: Callable[[Check], bool] = lambda check: True, together: bool = True
) -> Iterator[Outcome]:  # fmt: skip
    """Carry out the checks of a component, except those behind a stage that failed.

    Args:
        subject: what is checked.
        only: which checks to try.
        together: whether to train it with every built-in.
    """
    failed: Check | None = None
    for check in filter(only, checks(subject, together)):
        if failed and failed.stage != check.stage:
            yield Outcome(check, "not tried", f"first mend {failed.name}")
            continue
        found = carry_out(check, subject)
        if found.bad:
            failed = failed or check
        yield found


def carry_out(check: Check, subject: Subject) -> Outcome:
    """Try one check, away from the process's global random numbers."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            check.run(subject)
    except NotTried as left:
        return Outcome(check, "skipped", words_of(left))
    except BrokenClaimError as broken:
        return Outcome(check, "failed", words_of(broken))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's code may raise anything
        return Outcome(check, "failed", f"raised {one_line(error)}{_place(error)}")
    return Outcome(check, "passed")


def _place(error: BaseException) -> str:
    """Return the last place in the plugin's own code that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if "site-packages/torch" not in frame.filename and OWN not in Path(frame.filename).parents
    ]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
