"""The least squares loss is the formula of the paper."""

from dataclasses import dataclass, field

import pytest
import torch
from ganzoo_example.loss import LSGAN
from ganzoo_example.spec import LSGAN as SPEC
from torch import Generator, Tensor

from ganzoo.api import NoParams, Player, Targets, Verdict


@dataclass
class FakeStep:
    """A step of a discriminator that answers the mean of each image."""

    real: Tensor
    fake: Tensor
    targets: Targets
    player: Player = "discriminator"
    number: int = 0
    latent: Tensor = field(default_factory=lambda: torch.zeros(2, 1))
    labels: Tensor | None = None
    rng: Generator = field(default_factory=Generator)

    def judge(self, images: Tensor) -> Verdict:
        """Answer the mean of each image; the pixels are its features."""
        features = images.flatten(1)
        return Verdict(features.mean(1), features)


def images(*means: float) -> Tensor:
    """Return one constant image for each mean."""
    return torch.tensor(means)[:, None, None, None].expand(-1, 1, 2, 2)


@pytest.fixture
def step() -> FakeStep:
    return FakeStep(real=images(1.0, 3.0), fake=images(-1.0, 0.5), targets=Targets(torch.ones(2), torch.zeros(2)))


def test_discriminator_pulls_real_to_1_and_fake_to_0(step: FakeStep) -> None:
    terms = LSGAN(NoParams()).discriminator(step)
    assert terms["real"].item() == pytest.approx((0**2 + 2**2) / 2 / 2)
    assert terms["fake"].item() == pytest.approx((1**2 + 0.5**2) / 2 / 2)


def test_generator_pulls_fake_to_1(step: FakeStep) -> None:
    assert LSGAN(NoParams()).generator(step)["fake"].item() == pytest.approx((2**2 + 0.5**2) / 2 / 2)


def test_targets_that_a_trick_has_smoothed_are_the_labels(step: FakeStep) -> None:
    step.targets = Targets(torch.full((2,), 0.9), torch.full((2,), 0.1))
    terms = LSGAN(NoParams()).discriminator(step)
    assert terms["real"].item() == pytest.approx((0.1**2 + 2.1**2) / 2 / 2)
    assert terms["fake"].item() == pytest.approx((1.1**2 + 0.4**2) / 2 / 2)


def test_the_spec_names_this_loss() -> None:
    assert SPEC.target == f"{LSGAN.__module__}:{LSGAN.__name__}"
