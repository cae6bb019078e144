"""The penalty, the schedules and the conditioning are the formulas and numbers of the paper."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from ganzoo_r3gan.penalty import Penalty
from ganzoo_r3gan.projection import Projection, ProjectionHead
from ganzoo_r3gan.schedule import Schedule
from ganzoo_r3gan.spec import PROJECTION, PenaltyParams, ScheduleParams
from torch import Generator, Tensor, nn

from ganzoo.api import Networks, NoParams, Player, Progress, Rates, Setting, Targets, Verdict

START = Rates(generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.0, beta2=0.9, ema_half_life=5e6)


def after(images: float) -> Progress:
    return Progress(step=int(images / 512), steps=10**6, images=int(images))


@dataclass
class FakeStep:
    """A discriminator's step with a critic of one number for each `packing` images."""

    critic: nn.Module
    real: Tensor
    fake: Tensor
    packing: int = 1
    player: Player = "discriminator"
    number: int = 0
    latent: Tensor = field(default_factory=lambda: torch.zeros(2, 1))
    labels: Tensor | None = None
    rng: Generator = field(default_factory=Generator)

    def __post_init__(self) -> None:
        """Do as the trainer does for tricks that differentiate with respect to both batches."""
        self.real, self.fake = self.real.requires_grad_(), self.fake.requires_grad_()
        self.targets = Targets(torch.ones(2), torch.zeros(2))

    def judge(self, images: Tensor) -> Verdict:
        features = images.reshape(len(images) // self.packing, -1)
        return Verdict(self.critic(features), features)


class Bowl(nn.Module):
    """D(x) = a |x|^2 / 2, whose slope is a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x.square().sum(1) / 2


def penalties(trick: Penalty, packing: int = 1) -> list[float]:
    """Return R1 and R2 of a bowl of a = 2, on real images with |x|^2 = 9 each and fakes with 1."""
    step = FakeStep(Bowl(2.0), torch.full((4, 1, 3, 3), 1.0), torch.full((4, 1, 3, 3), 1 / 3), packing)
    terms = trick.discriminator(step)
    assert list(terms) == ["r1", "r2"]
    return [term.item() for term in terms.values()]


def test_the_penalty_is_half_gamma_times_the_squared_slopes() -> None:
    assert penalties(Penalty(PenaltyParams())) == pytest.approx([0.05 / 2 * 4 * 9, 0.05 / 2 * 4 * 1])


def test_packed_images_are_one_point_of_the_penalty() -> None:
    assert penalties(Penalty(PenaltyParams()), packing=2) == pytest.approx([0.05 / 2 * 4 * 18, 0.05 / 2 * 4 * 2])


def test_the_penalty_has_slopes_of_its_own() -> None:
    critic = Bowl(2.0)
    step = FakeStep(critic, torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1, 1))
    sum(Penalty(PenaltyParams(gamma=1)).discriminator(step).values(), torch.tensor(0.0)).backward()
    assert critic.a.grad is not None
    assert critic.a.grad.item() == pytest.approx(2.0)  # of a^2 / 2 at a = 2


@pytest.mark.parametrize(
    ("images", "gamma"),
    [
        (0, 0.05),
        (5e6, 0.05 - 0.045 * (1 - math.sqrt(0.5)) / 2),
        (10e6, 0.0275),
        (20e6, 0.005),
        (250e6, 0.005),
    ],
)
def test_gamma_falls_over_the_first_20_million_images(images: float, gamma: float) -> None:
    trick = Penalty(PenaltyParams())
    assert trick.schedule(START, after(images)) == START
    r1, r2 = penalties(trick)
    assert (r1, r2) == pytest.approx((gamma / 2 * 36, gamma / 2 * 4))


def test_a_resumed_penalty_has_the_weight_of_its_place() -> None:
    """The weight follows from the progress: whatever it was before, there is nothing to restore."""
    fresh, old = Penalty(PenaltyParams()), Penalty(PenaltyParams())
    old.schedule(START, after(3e6))
    for trick in (fresh, old):
        trick.schedule(START, after(7e6))
    assert torch.equal(fresh.gamma, old.gamma)


@pytest.mark.parametrize(
    ("images", "lr", "beta2", "half_life"),
    [(0, 2e-4, 0.9, 0), (10e6, 1.25e-4, 0.945, 2.5e6), (20e6, 5e-5, 0.99, 5e6), (250e6, 5e-5, 0.99, 5e6)],
)
def test_the_schedules_at_start_middle_and_end(images: float, lr: float, beta2: float, half_life: float) -> None:
    rates = Schedule(ScheduleParams()).schedule(START, after(images))
    assert rates == pytest.approx((lr, lr, 0.0, beta2, half_life))


def test_the_schedules_are_cosines() -> None:
    rates = Schedule(ScheduleParams()).schedule(START, after(5e6))  # a quarter: (1 - cos(pi / 4)) / 2 of the way
    way = (1 - math.sqrt(0.5)) / 2
    assert rates.generator_lr == pytest.approx(2e-4 - 1.5e-4 * way)
    assert rates.ema_half_life == pytest.approx(5e6 * way)


def test_the_schedules_start_at_what_the_recipe_says() -> None:
    told = START._replace(generator_lr=1e-4, ema_half_life=1e6)
    trick = Schedule(ScheduleParams(length=1000, final_lr=1e-5))
    assert trick.schedule(told, after(0)) == pytest.approx((1e-4, 2e-4, 0.0, 0.9, 0))
    assert trick.schedule(told, after(1000)) == pytest.approx((1e-5, 1e-5, 0.0, 0.99, 1e6))


def networks() -> Networks:
    return Networks(nn.Identity(), nn.Identity(), nn.Identity(), latent=2, features=6)


def test_the_projection_stands_in_for_the_head_alone() -> None:
    before = networks()
    wrapped = Projection(NoParams()).wrap(before, Setting((1, 8, 8), 3))
    assert (wrapped.generator, wrapped.body) == (before.generator, before.body)
    assert wrapped.head(torch.randn(4, 6), torch.tensor([0, 1, 2, 2])).shape == (4,)


def test_the_projection_is_the_product_of_mapped_features_and_class() -> None:
    head = ProjectionHead(6, 3)
    f, y = torch.randn(4, 6), torch.tensor([0, 1, 2, 2])
    W, e = head.linear.weight, head.classes.weight  # noqa: N806
    torch.testing.assert_close(head(f, y), torch.stack([e[label] @ W @ row for row, label in zip(f, y, strict=True)]))


def test_no_part_of_the_projection_is_common_to_all_classes() -> None:
    """Unlike Miyato & Koyama's, which adds logits that know no class."""
    head = ProjectionHead(6, 2)
    with torch.no_grad():
        head.classes.weight[1] = -head.classes.weight[0]
    f = torch.randn(4, 6)
    torch.testing.assert_close(head(f, torch.zeros(4, dtype=torch.int64)), -head(f, torch.ones(4, dtype=torch.int64)))


def test_conditional_logits_start_as_the_authors_do() -> None:
    """Features of variance 1 are mapped to variance 1; e_y is drawn from N(0, 1 / (classes * features))."""
    torch.manual_seed(0)
    head = ProjectionHead(768, 10)
    assert head.linear.weight.std().item() == pytest.approx(768**-0.5, rel=0.01)
    assert head.classes.weight.std().item() == pytest.approx(7680**-0.5, rel=0.03)
    assert head(torch.randn(1000, 768), torch.arange(1000) % 10).var().item() == pytest.approx(0.1, rel=0.2)


def test_the_conditional_discriminator_is_as_large_as_the_authors() -> None:
    """21,280,512 on R3GAN/Networks.py, commit 19a7ddf; all but the head is the same without classes: 20,683,008."""
    assert sum(weight.numel() for weight in ProjectionHead(768, 10).parameters()) == 21_280_512 - 20_683_008


def test_packed_images_are_refused() -> None:
    assert PROJECTION.refuse
    assert PROJECTION.refuse(NoParams(), Setting((1, 8, 8), 3)) is None
    assert "several" in (PROJECTION.refuse(NoParams(), Setting((1, 8, 8), 3, packing=2)) or "")
