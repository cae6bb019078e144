"""A check for each built-in that a component can be trained with: three steps together."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ganzoo.api import Kind
from ganzoo.errors import IncompatibleError
from ganzoo.planning.run import Run
from ganzoo.registry.provenance import CORE
from ganzoo.testing.check import Check, NotTried, require
from ganzoo.testing.rehearsal import (
    DATASETS,
    Asked,
    NoPartnersError,
    asked,
    first_run,
    own,
    partners,
    plan,
    reasons,
    refusal,
    trainer,
)
from ganzoo.testing.subject import Subject
from ganzoo.testing.training import STEPS, train, weights_of

COMBINED: dict[Kind, tuple[Kind, ...]] = {
    "architecture": ("loss", "trick"),
    "loss": ("architecture", "trick"),
    "trick": ("architecture", "loss", "trick"),
    "dataset": ("architecture",),
    "extractor": (),
    "engine": (),
}
"""The kinds of built-ins that a component of a kind is trained with."""


def combinations(subject: Subject) -> Iterator[Check]:
    """Yield a check for every built-in that a component could be trained with, and what its own distribution brings.

    Of the networks of its own distribution none: only those of built-ins are known to be small.
    """
    for kind in COMBINED[subject.component.kind]:
        for name in partners(kind, subject):
            if kind != "architecture" or name.startswith(f"{CORE}/"):
                yield _trains_with(kind, name)


def _trains_with(kind: Kind, name: str) -> Check:
    def run(subject: Subject) -> None:
        try:
            one = trainer(_run_with(subject, kind, asked(kind, name)))
        except IncompatibleError as error:  # what a network lacks, the one who needs it finds out when it is built
            raise NotTried(str(error)) from None
        start = weights_of(one)
        after = weights_of(train(one, STEPS))
        still = all(torch.equal(start[player][key], after[player][key]) for player in start for key in start[player])
        require(not still, "three steps moved no weight")

    return Check(
        f"trains-with-{name.rpartition('/')[2]}",
        (kind,),
        "training",
        f"Three training steps with the {kind} {name}.",
        "say in requires, conflicts or refuse what it does not go with, and why",
        run,
    )


def _run_with(subject: Subject, kind: Kind, partner: Asked) -> Run:
    """Return the first run of both, with whatever else they work with; NotTried where the plan refuses all."""
    word = "model" if kind == "architecture" else kind
    if subject.component.kind == "dataset":
        why = refusal(model=partner, loss="bce", dataset=own(subject))
        if why:
            raise NotTried(why)
        return plan(model=partner, loss="bce", dataset=own(subject))
    if subject.component.kind == kind == "trick":
        return _with_another_trick(subject, partner)
    try:
        return first_run(subject, **{word: partner})
    except NoPartnersError as error:
        raise NotTried(error.reason) from None


def _with_another_trick(subject: Subject, partner: Asked) -> Run:
    refused = ""
    model, *_ = partners("architecture", subject)
    for loss in partners("loss", subject):
        request = {"model": asked("architecture", model), "loss": loss, "dataset": DATASETS[0]}
        try:
            return plan(**request, trick=[own(subject), partner])
        except IncompatibleError as error:
            refused = refused or reasons(error)
    raise NotTried(refused)
