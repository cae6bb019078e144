"""The tricks on latents: the distributions that they draw from, and that a generator of numbers decides them."""

import math

import pytest
import torch
from scipy.stats import kstest, truncnorm
from zoo import component, networks, trainer

import ganzoo
from ganzoo.api import Setting
from ganzoo.errors import IncompatibleError


def drawn(trick, count: int, latent: int, seed: int = 0) -> torch.Tensor:
    """Latents as a run draws them: standard normal, then as the trick changes them."""
    rng = torch.Generator().manual_seed(seed)
    return trick.latent(torch.randn(count, latent, generator=rng), rng)


def mixture(**values):
    """The trick, with means of dimension 20 drawn from seed 0."""
    trick, made = component("trick", "mixture-latent", **values), networks("mlp", Setting((1, 8, 8)), latent=20)
    trick.wrap(made, Setting((1, 8, 8)))
    return trick, made.generator.get_buffer("mixture_means")


@pytest.mark.parametrize("threshold", [0.5, 1.0, 2.0])
def test_truncated_latents_are_a_normal_distribution_without_its_tails(threshold):
    z = drawn(component("trick", "truncated-latent", threshold=threshold), 500, 40)
    assert z.shape == (500, 40) and z.abs().max() <= threshold
    assert kstest(z.flatten().numpy(), truncnorm(-threshold, threshold).cdf).pvalue > 0.01


@pytest.mark.parametrize("threshold", [6.0, 100.0])
def test_a_threshold_beyond_all_mass_changes_nothing(threshold):
    z = drawn(component("trick", "truncated-latent", threshold=threshold), 1000, 100)
    assert z.isfinite().all() and z.abs().max() < 6.001
    assert kstest(z.flatten().numpy(), "norm").pvalue > 0.01


def test_the_means_fill_their_cube_and_never_move():
    trick, mu = mixture(components=200, c=3)
    assert mu.shape == (200, 20)
    assert kstest(mu.flatten().numpy(), "uniform", (-3, 6)).pvalue > 0.01
    before = mu.clone()
    drawn(trick, 100, 20)
    assert torch.equal(mu, before)


def test_mixture_latents_lie_around_each_mean_equally_often():
    trick, mu = mixture(components=4, c=5, sd=0.2)
    z = drawn(trick, 4000, 20)
    nearest = torch.cdist(z, mu).argmin(1)
    counts = torch.bincount(nearest, minlength=4)
    assert ((counts - 1000).abs() < 4 * math.sqrt(4000 * 3 / 16)).all()
    assert kstest((z - mu[nearest]).flatten().numpy() / 0.2, "norm").pvalue > 0.01


def test_by_default_the_modes_are_apart_in_the_dimensions_of_an_image_model():
    trick, made = component("trick", "mixture-latent"), networks("mlp", Setting((1, 8, 8)))
    trick.wrap(made, Setting((1, 8, 8)))
    distance = torch.pdist(made.generator.get_buffer("mixture_means"))
    assert distance.min() > 4 * trick.params.sd


@pytest.mark.parametrize("trick", ["truncated-latent", "mixture-latent"])
def test_the_generator_of_numbers_decides_all_latents(trick):
    one = trainer(model="mlp:generator=16,discriminator=16", trick=trick, recipe={"steps": 2, "batch_size": 8})
    first, again, other = (one.game.latents(7, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first, torch.randn(7, 100, generator=torch.Generator().manual_seed(1)))


def test_the_means_come_from_the_seed_and_travel_with_the_generator():
    one, again = mixture()[1], mixture()[1]
    assert torch.equal(one, again)
    averaged = trainer(trick="mixture-latent,ema", recipe={"steps": 2, "batch_size": 8})
    averaged.step()
    averaged.step()
    kept = averaged.game.sampler().state_dict()["mixture_means"]
    assert torch.equal(kept, averaged.game.networks.generator.get_buffer("mixture_means"))


@pytest.mark.parametrize("pair", ["uniform-latent,truncated-latent", "truncated-latent,mixture-latent"])
def test_only_one_trick_decides_where_latents_come_from(pair):
    with pytest.raises(IncompatibleError, match="only one can"):
        ganzoo.plan(model="mlp", loss="bce", trick=pair)
