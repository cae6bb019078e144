"""The step for tests of formulas: its logits are those that were asked for, and gradients reach its images."""

import pytest
import torch

from ganzoo.api import Step
from ganzoo.testing import toy_step


def logits(step: Step) -> tuple[list[float], list[float]]:
    return step.judge(step.real).logits.tolist(), step.judge(step.fake).logits.tolist()


def test_the_discriminator_answers_what_was_asked_for() -> None:
    assert logits(toy_step(real=[2.0, -30.5], fake=[0.0, 1.0, 7.0])) == ([2.0, -30.5], [0.0, 1.0, 7.0])


def test_targets_are_one_for_real_and_zero_for_fake() -> None:
    targets = toy_step(real=[5.0, 5.0], fake=[5.0, 5.0]).targets
    assert (targets.real.tolist(), targets.fake.tolist()) == ([1.0, 1.0], [0.0, 0.0])


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_penalties_can_differentiate_with_respect_to_images(player) -> None:
    """Its discriminator is the mean of four pixels: the gradient is a quarter everywhere."""
    step = toy_step(real=[1.0], fake=[2.0], player=player)
    for images in (step.real, step.fake):
        (slope,) = torch.autograd.grad(step.judge(images).logits.sum(), images, create_graph=True)
        assert torch.equal(slope, torch.full_like(images, 0.25))


def test_equal_steps_have_equal_random_numbers() -> None:
    first, second = (torch.rand(3, generator=toy_step([0.0], [0.0]).rng) for _ in range(2))
    assert torch.equal(first, second)
