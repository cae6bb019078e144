"""LeCam's formula and its averages, on logits that are known."""

import pytest
import torch
from ganzoo_example.spec import LeCamParams
from ganzoo_example.trick import LeCam

from ganzoo.testing import toy_step


def term(trick: LeCam, real: float, fake: float) -> float:
    return trick.discriminator(toy_step(real=[real], fake=[fake]))["lecam"].item()


def test_with_averages_that_forget_at_once_it_is_twice_the_squared_gap() -> None:
    """With decay 0 the averages are the batch's own: lambda ((r - f)^2 + (f - r)^2)."""
    assert term(LeCam(LeCamParams(weight=0.5, decay=0.0)), real=3.0, fake=1.0) == pytest.approx(0.5 * 2 * 4.0)


def test_the_averages_follow_slowly() -> None:
    trick = LeCam(LeCamParams(weight=1.0, decay=0.9))
    for _ in range(3):
        term(trick, real=1.0, fake=-2.0)
    share = 1 - 0.9**3
    assert trick.of_real.value.item() == pytest.approx(share)
    assert trick.of_fake.value.item() == pytest.approx(-2.0 * share)


def test_gradients_flow_through_the_logits_and_not_the_averages() -> None:
    step = toy_step(real=[3.0], fake=[1.0])
    LeCam(LeCamParams(weight=1.0, decay=0.0)).discriminator(step)["lecam"].backward()
    assert step.real.grad is not None
    assert step.real.grad.sum().item() == pytest.approx(2 * (3.0 - 1.0))


def test_its_state_is_that_of_both_averages() -> None:
    first, second = LeCam(LeCamParams()), LeCam(LeCamParams())
    term(first, real=1.0, fake=2.0)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.of_real.value, first.of_real.value)
    assert term(first, real=1.0, fake=2.0) == term(second, real=1.0, fake=2.0)
