"""Everything with everything: the matrix comes from the registry, so that a new component is tried without a line."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from functools import cache

import pytest
import torch
from zoo import trainer

import ganzoo
from ganzoo.api import Spec
from ganzoo.errors import IncompatibleError
from ganzoo.registry.lookup import installed

DATASETS = ("digits", "mnist", "cifar10")  # of three shapes, known without a file
SMALL = {"width": 16, "critic_width": 16, "latent": 8, "steps": 2}
TRAINED = {"steps": 3, "batch_size": 8, "n_critic": 2}
HOSTS = 3
Request = dict[str, str]


def core(kind: str) -> list[tuple[str, Spec]]:
    return [(one.name, one.usable_spec) for one in installed().of(kind) if one.distribution == "ganzoo-core"]


def small(name: str, spec: Spec) -> str:
    """Name a component with the parameters that make it small, or quick."""
    known = {field.name for field in dataclasses.fields(spec.params)}
    chosen = ",".join(f"{key}={value}" for key, value in SMALL.items() if key in known)
    return f"{name}:{chosen}" if chosen else name


def refusal(**request: str) -> str:
    """Return why the plan refuses a combination; empty where it does not."""
    try:
        ganzoo.plan(**request)
    except IncompatibleError as error:
        return str(error)
    return ""


@cache
def dataset_of(model: str) -> str:
    """Return the first dataset whose shape an architecture can draw."""
    return next(name for name in DATASETS if not refusal(model=model, loss="bce", dataset=name))


@cache
def pairs() -> list[Request]:
    """Every architecture with every loss."""
    models = [small(name, spec) for name, spec in core("architecture")]
    return [
        {"model": model, "loss": loss, "dataset": dataset_of(model)}
        for model, (loss, _) in itertools.product(models, core("loss"))
    ]


def hosts(trick: str) -> Iterator[Request]:
    """The first pairs that a trick works with, each of another architecture or loss than those before where it can."""
    bearing = [pair for pair in pairs() if not refusal(**pair, trick=trick)]
    chosen: list[Request] = []
    while bearing and len(chosen) < HOSTS:
        used = [value for pair in chosen for value in pair.values()]
        best = min(bearing, key=lambda pair: sum(used.count(value) for value in pair.values()))
        bearing.remove(best)
        chosen.append(best)
        yield best | {"trick": trick}


def combinations() -> list[Request]:
    return pairs() + [host for trick, spec in core("trick") for host in hosts(small(trick, spec))]


@pytest.mark.parametrize("request_", combinations(), ids=lambda request_: "+".join(request_.values()))
def test_every_compatible_combination_trains_three_steps(request_: Request):
    if refusal(**request_):
        pytest.fail(f"refused: {refusal(**request_)}")
    one = trainer(**request_, recipe=TRAINED)
    before = [weight.clone() for module in one.modules.values() for weight in module.parameters()]
    for _ in range(3):
        one.step()
    after = [weight for module in one.modules.values() for weight in module.parameters()]
    assert all(weight.isfinite().all() for weight in after)
    moved = sum(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert moved > len(after) / 2


def test_every_trick_has_hosts_enough():
    few = {trick: found for trick, spec in core("trick") if (found := len(list(hosts(small(trick, spec))))) < HOSTS}
    assert not few


def test_every_combination_is_planned_or_refused_with_a_reason():
    refused = [
        (pair | {"trick": trick}, why)
        for pair, (trick, _) in itertools.product(pairs(), core("trick"))
        if (why := refusal(**pair, trick=trick))
    ]
    assert refused
    for request, why in refused:
        _, _, reason = why.removeprefix("no combination of this grid can work: ").partition(": ")
        assert any(word in reason for word in (" needs ", " excludes ", ": ")) and len(reason) > 20, (request, why)
