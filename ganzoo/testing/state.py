"""What must not change behind a component's back: inputs, weights, global randomness, memory."""

from __future__ import annotations

import copy
import gc
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.testing.check import require, some

STEPS = 100
HALF = 30
"""Steps of each of the two stretches, at the end, over which memory must not grow by something a step."""


@contextmanager
def unchanged(**inputs: Tensor | None) -> Iterator[None]:
    """Raise BrokenClaimError where one of these tensors was changed in place."""
    before = {
        name: (value, value.detach().clone(), value._version) for name, value in inputs.items() if value is not None
    }
    yield
    for name, (value, was, version) in before.items():
        # PyTorch counts what is done in place, which may leave these values as they are, e.g. clamp_, and not others
        same = torch.equal(value.detach(), was) and value._version == version
        require(same, f"{name} was changed in place")


@contextmanager
def weights_left_alone(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """Raise BrokenClaimError where weights of a player were moved, or given a gradient."""
    before = {player: copy.deepcopy(dict(module.named_parameters())) for player, module in modules.items()}
    yield
    for player, module in modules.items():
        for name, weight in module.named_parameters():
            require(torch.equal(weight, before[player][name]), f"the {player}'s weight {name} was changed")
            require(weight.grad is None, f"the {player}'s weight {name} was given a gradient: no backward of your own")


@contextmanager
def no_global_randomness(torch_too: bool = True) -> Iterator[None]:
    """Raise BrokenClaimError where Python's, NumPy's or PyTorch's global generator was drawn from."""
    before = _generators()
    yield
    moved = [name for name, state in _generators().items() if state != before[name]]
    if not torch_too:
        moved = [name for name in moved if not name.startswith("torch")]
    require(not moved, f"it draws from {', '.join(moved)}")


def _generators() -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state()
    return {
        "random (Python's global generator)": random.getstate(),
        "numpy.random (NumPy's global generator)": (kind, bytes(np.asarray(keys)), *rest),
        "torch's global generator": bytes(torch.get_rng_state().numpy()),
    }


def finite(named: Mapping[str, Tensor]) -> None:
    """Raise BrokenClaimError where a tensor holds what is not finite."""
    bad = [name for name, value in named.items() if not value.isfinite().all()]
    require(not bad, f"not finite: {some(bad)}")


def compare(first: Any, second: Any, what: str, where: str = "") -> None:
    """Raise BrokenClaimError where two nested states differ in a bit."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        same = first.shape == second.shape and torch.equal(first, second)
    elif isinstance(first, Mapping) and isinstance(second, Mapping):
        require(first.keys() == second.keys(), f"{what}{where} has other keys")
        for key in first:
            compare(first[key], second[key], what, f"{where} {key}")
        return
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        require(len(first) == len(second), f"{what}{where} has another length")
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            compare(one, other, what, f"{where} {number}")
        return
    else:
        same = first == second
    require(same, f"{what}{where} differs")


def held(step: Callable[[], object]) -> None:
    """Raise BrokenClaimError where each of 100 steps leaves something behind in memory."""
    marks: list[tuple[int, int]] = []
    gc.collect()
    gc.freeze()  # leaves out all that was there before, so that counting takes no time
    try:
        for number in range(1, STEPS + 1):
            step()
            if number in (STEPS - 2 * HALF, STEPS - HALF, STEPS):
                marks.append(_counted())
    finally:
        gc.unfreeze()
    for what, values in zip(("tensors", "Python objects"), zip(*marks, strict=True), strict=True):
        growth = min(after - before for before, after in itertools.pairwise(values))
        require(growth < HALF, f"about {growth // HALF} more {what} are held after every step")


def _counted() -> tuple[int, int]:
    """Return how many tensors, and how many objects that can hold others, are alive."""
    gc.collect()
    found = gc.get_objects()
    return sum(issubclass(type(one), Tensor) for one in found), len(found)


def gradients(module: nn.Module) -> dict[str, Tensor | None]:
    """Return the gradient of each trainable weight."""
    return {name: weight.grad for name, weight in module.named_parameters() if weight.requires_grad}


def stir(modules: Sequence[nn.Module]) -> None:
    """Move all weights a little: a layer that starts at zero hides what lies behind it."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in (weight for module in modules for weight in module.parameters()):
            weight.add_(torch.randn(weight.shape, generator=rng), alpha=0.1)
