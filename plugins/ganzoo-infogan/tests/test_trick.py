"""The codes have the paper's distribution, and the bound is one: Q raises it to the information that images hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from ganzoo_infogan.spec import INFOGAN, InfoGANParams
from ganzoo_infogan.trick import InfoGAN, Recognition
from torch import Generator, Tensor, nn

from ganzoo.api import Networks, Player, Setting, Targets, Verdict

SETTING = Setting((1, 2, 2))


@dataclass
class FakeStep:
    """A step whose discriminator shows the images themselves as features."""

    fake: Tensor
    latent: Tensor
    player: Player = "discriminator"
    number: int = 0
    labels: Tensor | None = None
    rng: Generator = field(default_factory=Generator)

    def __post_init__(self) -> None:
        self.real = self.fake
        self.targets = Targets(torch.ones(len(self.fake)), torch.zeros(len(self.fake)))

    def judge(self, images: Tensor) -> Verdict:
        return Verdict(images.flatten(1).sum(1), images.flatten(1))


class Given(nn.Module):
    """The layers of a Q whose outputs are any function of the features."""

    def __init__(self, outputs: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, features: Tensor) -> Tensor:
        return self.outputs(features)


def answer(trick: InfoGAN, outputs: Callable[[Tensor], Tensor]) -> None:
    """Have Q answer by a function."""
    trick.Q.layers = nn.Sequential(Given(outputs))


def trick_with(latent: int = 16, features: int = 4, **params: Any) -> InfoGAN:
    """The trick on networks that are never run."""
    torch.manual_seed(0)
    trick = InfoGAN(InfoGANParams(**params))
    networks = Networks(nn.Identity(), nn.Identity(), nn.Identity(), latent=latent, features=features)
    trick.modules(trick.wrap(networks, SETTING), SETTING)
    return trick


def latents(trick: InfoGAN, count: int, length: int = 16, seed: int = 0) -> Tensor:
    rng = Generator().manual_seed(seed)
    return trick.latent(torch.randn(count, length, generator=rng), rng)


def bounds(trick: InfoGAN, images: Tensor, z: Tensor) -> dict[str, float]:
    """What the discriminator minimises, with the sign of information."""
    return {name: -term.item() for name, term in trick.discriminator(FakeStep(images, z)).items()}


# The codes -----------------------------------------------------------------------------------------------------------


def test_the_latent_is_codes_then_noise() -> None:
    z = latents(trick_with(categorical=2, categories=3, continuous=2), 6000)
    assert z.shape == (6000, 16)
    for one_hot in (z[:, :3], z[:, 3:6]):
        assert ((one_hot == 0) | (one_hot == 1)).all() and (one_hot.sum(1) == 1).all()
        assert one_hot.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    rest = z[:, 6:]
    assert rest.abs().max() <= 1 and rest.min() < -0.99 and rest.max() > 0.99
    assert rest.var(0).tolist() == pytest.approx([1 / 3] * 10, abs=0.02)


def test_no_two_entries_but_those_of_one_code_are_correlated() -> None:
    z = latents(trick_with(categorical=2, categories=3, continuous=2), 20_000)
    related = torch.corrcoef(z.T).abs()
    related[:3, :3] = related[3:6, 3:6] = 0
    assert (related - torch.diag(related.diagonal())).max() < 0.03


def test_noise_can_stay_normal_as_earlier_tricks_left_it() -> None:
    trick = trick_with(noise="normal")
    z = torch.randn(100, 16)
    coded = trick.latent(z, Generator())
    assert torch.equal(coded[:, 12:], z[:, 12:]) and coded[:, 10:12].abs().max() <= 1


def test_codes_are_a_function_of_the_generators_state() -> None:
    trick = trick_with()
    assert torch.equal(latents(trick, 10), latents(trick, 10))
    assert not torch.equal(latents(trick, 10), latents(trick, 10, seed=1))


@pytest.mark.parametrize("params", [{"continuous": 0}, {"categorical": 0}], ids=str)
def test_either_kind_of_codes_can_be_left_out(params: dict[str, int]) -> None:
    trick = trick_with(**params)
    z = latents(trick, 8)
    assert list(trick.generator(FakeStep(torch.randn(8, 1, 2, 2), z))) == [
        "categorical" if "continuous" in params else "continuous"
    ]


# The bound -----------------------------------------------------------------------------------------------------------


def test_a_q_that_knows_nothing_finds_no_information_in_a_categorical_code() -> None:
    trick = trick_with()
    answer(trick, lambda features: torch.zeros(len(features), 12))
    assert bounds(trick, torch.randn(50, 1, 2, 2), latents(trick, 50))["categorical"] == pytest.approx(0, abs=1e-5)


def test_a_q_that_knows_all_finds_the_whole_entropy() -> None:
    trick = trick_with(features=6, categorical=2, categories=3, continuous=0)
    answer(trick, lambda features: 50 * features)
    z = latents(trick, 50)
    assert bounds(trick, z[:, :6], z)["categorical"] == pytest.approx(2 * math.log(3))


def test_the_bound_is_the_information_of_a_noisy_channel_and_less_for_any_other_q() -> None:
    """A binary code that an image shows wrongly in one of ten: I = log 2 - H(0.1), reached by the posterior."""
    trick = trick_with(features=2, categories=2, continuous=0)
    z = torch.eye(2).repeat(50, 1)
    shown = z[:, :2].clone()
    shown[:10] = shown[:10].flip(1)

    def found(wrong: float) -> float:
        answer(trick, lambda features: (features * (1 - wrong) + (1 - features) * wrong).log())
        return bounds(trick, shown, z)["categorical"]

    information = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert found(0.1) == pytest.approx(information, abs=1e-5)
    assert all(found(wrong) < information - 1e-4 for wrong in (0.02, 0.05, 0.2, 0.5))


def test_continuous_codes_are_read_as_normals() -> None:
    """log N(c; mu, sigma^2) + H(c): sigma is 1, or learnt as the logarithm of its square."""
    c, mu, sigma = 0.3, -0.4, 0.2
    z = torch.tensor([[c, 0.0, 0.0]])
    fixed = -((c - mu) ** 2) / 2 - math.log(2 * math.pi) / 2 + math.log(2)
    learnt = -(((c - mu) / sigma) ** 2) / 2 - math.log(sigma) - math.log(2 * math.pi) / 2 + math.log(2)
    for learn_sd, outputs, expected in ((False, [mu], fixed), (True, [mu, 2 * math.log(sigma)], learnt)):
        trick = trick_with(categorical=0, continuous=1, learn_sd=learn_sd)
        answer(trick, lambda _, outputs=outputs: torch.tensor([outputs]))
        assert bounds(trick, torch.randn(1, 1, 2, 2), z)["continuous"] == pytest.approx(expected, rel=1e-5)


def test_the_weights_are_lambda() -> None:
    z, images = latents(trick_with(), 4), torch.ones(4, 1, 2, 2)
    plain = bounds(trick_with(), images, z)
    weighted = bounds(trick_with(weight=3.0, continuous_weight=0.1), images, z)
    assert weighted == pytest.approx({"categorical": 3 * plain["categorical"], "continuous": 0.1 * plain["continuous"]})


def test_the_bound_rises_as_q_learns() -> None:
    """Images that are a fixed mixture of the codes: Q comes to know them, and never more than there is to know."""
    trick = trick_with(features=12, learn_sd=True, weight=1.0)
    mixture = torch.linalg.qr(torch.randn(12, 12))[0]
    optimizer = torch.optim.Adam(trick.Q.parameters(), lr=1e-2)
    course = []
    for seed in range(150):
        z = latents(trick, 128, seed=seed)
        terms = trick.discriminator(FakeStep(z[:, :12] @ mixture, z))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        course.append({name: -term.item() for name, term in terms.items()})
    first, last = course[0], course[-1]
    assert first["categorical"] == pytest.approx(0, abs=0.1) and first["continuous"] < 0
    assert math.log(10) - 0.2 < last["categorical"] <= math.log(10)
    assert last["continuous"] > 0.5


# The trick -----------------------------------------------------------------------------------------------------------


def test_both_players_raise_the_bound_and_gradients_reach_images_and_q() -> None:
    trick = trick_with()
    z, images = latents(trick, 8), torch.randn(8, 1, 2, 2, requires_grad=True)
    for player in (trick.generator, trick.discriminator):
        terms = player(FakeStep(images, z))
        slopes = torch.autograd.grad(torch.stack(list(terms.values())).sum(), [images, *trick.Q.parameters()])
        assert all(slope.any() for slope in slopes)


def test_q_is_the_discriminators() -> None:
    trick = InfoGAN(InfoGANParams())
    networks = Networks(nn.Identity(), nn.Identity(), nn.Identity(), latent=12, features=7)
    assert list(trick.modules(networks, SETTING)) == ["discriminator"]


def test_q_is_the_papers() -> None:
    """Appendix C, table 1: 128 units with batch norm and leaky ReLU of rate 0.1, then the codes' distributions."""
    hidden, norm, activation, output = Recognition(1024, InfoGANParams()).layers
    assert isinstance(hidden, nn.Linear) and isinstance(norm, nn.BatchNorm1d) and isinstance(output, nn.Linear)
    assert isinstance(activation, nn.LeakyReLU) and activation.negative_slope == 0.1
    assert (hidden.in_features, hidden.out_features, output.out_features) == (1024, 128, 10 + 2)


def test_a_latent_that_is_too_short_is_an_error_that_says_how_long_it_must_be() -> None:
    with pytest.raises(ValueError, match="take 12 entries of a latent that has 11"):
        trick_with(latent=11)
    trick_with(latent=12)  # room for the codes and no noise


@pytest.mark.parametrize(
    ("params", "setting", "reason"),
    [
        (InfoGANParams(categorical=0, continuous=0), SETTING, "has no codes"),
        (InfoGANParams(), Setting((1, 8, 8), packing=2), "judged together"),
    ],
)
def test_what_cannot_work_is_refused(params: InfoGANParams, setting: Setting, reason: str) -> None:
    assert INFOGAN.refuse
    assert reason in (INFOGAN.refuse(params, setting) or "")
    assert INFOGAN.refuse(InfoGANParams(), SETTING) is None
