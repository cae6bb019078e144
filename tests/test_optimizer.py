"""Adam as the compiled mode has it on a GPU is PyTorch's, in its numbers and in its state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import Parameter

from ganzoo.train.optimizer import CompiledAdam, adam

SHAPES = ((5, 3, 2, 2), (7,), ())


class Calls:
    """Calls functions as they are, and counts how often."""

    def __init__(self):
        self.failed, self.count = False, 0

    def called(self, function, *among):
        assert function is adam
        self.count += 1
        function(*among)


def pair(betas):
    """Return PyTorch's Adam and ours for the same weights."""
    weights = [Parameter(torch.randn(shape)) for shape in SHAPES]
    settings = {"lr": 2e-2, "betas": betas, "fused": True}
    ours = CompiledAdam(Calls(), [Parameter(weight.detach().clone()) for weight in weights], **settings)
    return torch.optim.Adam(weights, **settings), ours


def step(*optimizers, without=None):
    """Carry out a step of each with the same gradients; one of the weights may have none."""
    for number, shape in enumerate(SHAPES):
        gradient = torch.randn(shape)
        for one in optimizers:
            one.param_groups[0]["params"][number].grad = None if number == without else gradient.clone()
    for one in optimizers:
        one.step()


def apart(one, two):
    """Return how far weights and state are apart at most."""
    pairs = list(zip(one.param_groups[0]["params"], two.param_groups[0]["params"], strict=True))
    pairs += [(one.state[a][key], two.state[b][key]) for a, b in pairs for key in one.state[a]]
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.mark.parametrize("betas", [(0.5, 0.999), (0.0, 0.9)])
def test_adam_is_pytorchs(betas, double):
    theirs, ours = pair(betas)
    for number in range(30):
        step(theirs, ours, without=1 if number < 3 else None)
    assert apart(theirs, ours) < 1e-14
    assert ours.once.count == 28  # but for the first step, and the first of a weight that had no gradient before


def test_a_step_without_gradients_changes_nothing():
    _, ours = pair((0.5, 0.999))
    ours.step()
    assert not ours.once.count


def test_adam_at_other_betas_is_pytorchs_own(double):
    theirs, ours = pair((0.5, 0.999))
    for betas in ((0.5, 0.999), (0.5, 0.999), (0.9, 0.99), (0.5, 0.999)):
        for one in (theirs, ours):
            one.param_groups[0]["betas"] = betas
        step(theirs, ours)
    assert apart(theirs, ours) < 1e-14 and ours.once.count == 2


def test_adam_is_pytorchs_own_where_nothing_is_compiled():
    """As it is, ours would be some hundred kernels, and PyTorch's is one."""
    theirs, ours = pair((0.5, 0.999))
    for ours.once.failed in (False, False, True):
        step(theirs, ours)
    assert apart(theirs, ours) < 1e-6 and ours.once.count == 1


def test_state_of_either_continues_the_other(double):
    theirs, ours = pair((0.5, 0.999))
    step(theirs, ours)
    step(theirs, ours)
    for one, other in ((theirs, ours), (ours, theirs)):
        one.load_state_dict(copy.deepcopy(other.state_dict()))
    step(theirs, ours)
    assert apart(theirs, ours) < 1e-14
