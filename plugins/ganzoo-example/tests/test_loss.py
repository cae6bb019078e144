"""The discriminator that f-GAN's theory calls the best one reaches the divergence, and no other does."""

import math

import pytest
import torch
from ganzoo_example.loss import DIVERGENCES, FGAN
from ganzoo_example.spec import FGANParams

from ganzoo.params import parameters
from ganzoo.testing import toy_step

# The data P and the generator Q draw one of two images: P with probabilities 3/4 and 1/4, Q with 1/2 and 1/2.
P, Q = (0.75, 0.25), (0.5, 0.5)
KNOWN = {
    "pearson": sum((p - q) ** 2 / q for p, q in zip(P, Q, strict=True)),
    "kl": sum(p * math.log(p / q) for p, q in zip(P, Q, strict=True)),
    "gan": sum(p * math.log(p / (p + q)) + q * math.log(q / (p + q)) for p, q in zip(P, Q, strict=True)),
}
BEST = {  # g_f(v) = f'(p/q), solved for v
    "pearson": lambda ratio: 2 * (ratio - 1),
    "kl": lambda ratio: 1 + math.log(ratio),
    "gan": math.log,
}


def estimate(divergence: str, v_1: float, v_2: float) -> float:
    """Return the bound that a discriminator reaches which answers v_1 and v_2 to the two images."""
    step = toy_step(real=[v_1, v_1, v_1, v_2], fake=[v_1, v_1, v_2, v_2])
    return -sum(term.item() for term in FGAN(FGANParams(divergence)).discriminator(step).values())


@pytest.mark.parametrize("divergence", KNOWN)
def test_the_best_discriminator_reaches_the_divergence(divergence: str) -> None:
    v_1, v_2 = (BEST[divergence](p / q) for p, q in zip(P, Q, strict=True))
    assert estimate(divergence, v_1, v_2) == pytest.approx(KNOWN[divergence], abs=1e-6)


@pytest.mark.parametrize("divergence", KNOWN)
def test_no_other_discriminator_reaches_as_much(divergence: str) -> None:
    v_1, v_2 = (BEST[divergence](p / q) for p, q in zip(P, Q, strict=True))
    for a, b in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1), (1.0, 1.0)):
        assert estimate(divergence, v_1 + a, v_2 + b) < KNOWN[divergence]


@pytest.mark.parametrize("divergence", KNOWN)
def test_the_generator_raises_its_logits(divergence: str) -> None:
    step = toy_step(real=[0.0, 0.0, 0.0], fake=[-2.0, 0.0, 3.0], player="generator")
    (term,) = FGAN(FGANParams(divergence)).generator(step).values()
    (slope,) = torch.autograd.grad(term, step.fake)
    assert (slope < 0).all()


def test_every_divergence_that_the_spec_offers_is_there() -> None:
    assert set(parameters(FGANParams)["divergence"].choices) == set(DIVERGENCES) == set(KNOWN)
