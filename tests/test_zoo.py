"""The built-in components: shapes, gradients, and what each does against what its paper says."""

import itertools

import pytest
import torch
from torch import nn
from zoo import Linear, component, fresh_step, networks, step_on, trainer

import ganzoo
from ganzoo.api import Setting, Targets
from ganzoo.params import parameters
from ganzoo.registry.lookup import installed
from ganzoo.train.step import generator_terms
from ganzoo.zoo.architectures.dcgan import sides

SIZES = list(range(8, 129, 4))


@pytest.mark.parametrize("side", SIZES)
def test_dcgan_fits_every_multiple_of_four(side):
    made = networks("dcgan", Setting((1, side, side)), width=2, latent=4)
    images = made.generator(torch.randn(2, 4), None)
    assert images.shape == (2, 1, side, side)
    assert images.abs().max() <= 1
    assert made.head(made.body(images), None).shape == (2,)


def test_dcgan_halves_as_the_paper_does():
    assert sides(64) == [64, 32, 16, 8, 4]  # figure 1
    assert (sides(8), sides(28), sides(32)) == ([8, 4, 2], [28, 14, 7, 3], [32, 16, 8, 4])


def test_dcgan_at_64_has_the_papers_widths():
    """Figure 1: 1024 x 4 x 4, then 512, 256 and 128 channels, at width 128."""
    made = networks("dcgan", Setting((3, 64, 64)), width=128)
    widths = [layer.in_channels for layer in made.generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert widths == [1024, 512, 256, 128]


SETTINGS = [Setting(shape, classes) for shape in ((1, 8, 8), (3, 16, 16)) for classes in (0, 10)]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_every_norm_builds_and_gradients_reach_every_weight(name, setting):
    declared = parameters(installed().get("architecture", name).usable_spec.params)
    for critic_norm, norm in itertools.product(declared["critic_norm"].choices, declared["norm"].choices):
        made = networks(name, setting, critic_norm=critic_norm, norm=norm)
        y = torch.arange(4) % 10 if setting.classes else None
        images = made.generator(torch.randn(4, made.latent), y)
        features = made.body(images)
        logits = made.head(features, y)
        assert (images.shape, features.shape, logits.shape) == ((4, *setting.shape), (4, made.features), (4,))
        (logits * torch.randn(4)).sum().backward()
        weights = [*made.generator.parameters(), *made.body.parameters(), *made.head.parameters()]
        assert all(weight.grad is not None for weight in weights), (critic_norm, norm)


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_conditional_networks_listen_to_the_class(name):
    setting = Setting((1, 8, 8), 10)
    made = component("trick", "projection").wrap(networks(name, setting), setting)
    made.generator.eval()
    z = torch.randn(1, made.latent)
    one, two = torch.tensor([1]), torch.tensor([2])
    images = made.generator(z, one)
    assert not torch.equal(images, made.generator(z, two))
    features = made.body.eval()(images)
    assert not torch.equal(made.head(features, one), made.head(features, two))


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_packed_images_share_one_answer(name):
    made = networks(name, Setting((1, 8, 8), packing=3))
    assert made.body(torch.randn(2, 3, 8, 8)).shape == (2, made.features)


def test_bce_is_the_formula_of_the_paper():
    real, fake = torch.randn(8, 1, 2, 2), torch.randn(8, 1, 2, 2)
    critic = Linear(1.0, 4)
    d_real, d_fake = critic(real).sigmoid(), critic(fake).sigmoid()
    terms = component("loss", "bce").discriminator(step_on(critic, real, fake))
    assert sum(terms.values()).item() == pytest.approx(-(d_real.log() + (1 - d_fake).log()).mean().item(), rel=1e-5)
    (fooled,) = component("loss", "bce").generator(step_on(critic, real, fake)).values()
    assert fooled.item() == pytest.approx(-d_fake.log().mean().item(), rel=1e-5)
    (minimax,) = component("loss", "bce", saturating=True).generator(step_on(critic, real, fake)).values()
    assert minimax.item() == pytest.approx((1 - d_fake).log().mean().item(), rel=1e-5)


def test_hinge_ignores_what_is_beyond_the_margin():
    critic = Linear(1.0, 1)
    real, fake = torch.tensor([2.0, 0.5]).view(2, 1, 1, 1), torch.tensor([-3.0, 0.0]).view(2, 1, 1, 1)
    terms = component("loss", "hinge").discriminator(step_on(critic, real, fake))
    assert {name: term.item() for name, term in terms.items()} == {"real": 0.25, "fake": 0.5}
    assert component("loss", "hinge").generator(step_on(critic, real, fake))["fake"].item() == 1.5


@pytest.mark.parametrize(("norm", "expected"), [(1.0, 0.0), (3.0, 40.0), (0.5, 2.5)])
def test_the_gradient_penalty_of_a_linear_critic(norm, expected):
    """Lambda (|a| - 1)^2 with lambda 10."""
    real, fake = torch.randn(6, 1, 3, 3), torch.randn(6, 1, 3, 3)
    terms = component("loss", "wgan-gp").discriminator(step_on(Linear(norm, 9), real, fake))
    assert terms["penalty"].item() == pytest.approx(expected, abs=1e-5)


def test_wgan_gp_trains_the_critic_through_its_penalty():
    critic = Linear(3.0, 9)
    images = torch.randn(6, 1, 3, 3)
    component("loss", "wgan-gp").discriminator(step_on(critic, images, images))["penalty"].backward()
    assert critic.a.grad is not None and (critic.a.grad > 0).all()  # towards a smaller norm


def test_label_smoothing_moves_only_real_targets_unless_told():
    targets, step = (
        Targets(torch.ones(3), torch.zeros(3)),
        step_on(Linear(1, 1), torch.ones(3, 1, 1, 1), torch.ones(3, 1, 1, 1)),
    )
    one_sided = component("trick", "label-smoothing").targets(targets, step)
    assert one_sided.real.tolist() == pytest.approx([0.9] * 3) and one_sided.fake.tolist() == [0.0] * 3
    two_sided = component("trick", "label-smoothing", real=0.8, fake=0.1).targets(targets, step)
    assert two_sided.real.tolist() == pytest.approx([0.8] * 3) and two_sided.fake.tolist() == pytest.approx([0.1] * 3)


def test_label_smoothing_leaves_the_generators_objective_alone():
    plain, smooth = (
        trainer(loss="bce", trick=trick, recipe={"steps": 1, "batch_size": 8}) for trick in ((), "label-smoothing")
    )
    terms = [generator_terms(one.game, fresh_step(one)) for one in (plain, smooth)]
    assert terms[0]["bce/fake"].item() == terms[1]["bce/fake"].item()


def test_spectral_norm_brings_the_largest_singular_value_to_one():
    setting = Setting((1, 16, 16))
    trick = component("trick", "spectral-norm", iterations=50)
    made = trick.wrap(networks("dcgan", setting, critic_norm="none"), setting)
    made.body(torch.randn(2, 1, 16, 16))
    modules = [*made.body.modules(), *made.head.modules()]
    weights = [module.weight for module in modules if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(weights) == 3
    for weight in weights:
        assert torch.linalg.svdvals(weight.flatten(1))[0].item() == pytest.approx(1, abs=1e-2)


def test_spectral_norm_leaves_the_generator_alone_unless_told():
    setting = Setting((1, 8, 8))
    names = list(networks("mlp", setting).generator.state_dict())
    for told in (False, True):
        made = component("trick", "spectral-norm", generator=told).wrap(networks("mlp", setting), setting)
        assert (list(made.generator.state_dict()) != names) == told


def test_feature_matching_is_the_distance_of_mean_features():
    real, fake = torch.full((4, 1, 1, 2), 3.0), torch.zeros(4, 1, 1, 2)
    trick = component("trick", "feature-matching", weight=2)
    assert trick.generator(step_on(Linear(1, 2), real, fake))["distance"].item() == 36  # 2 (3^2 + 3^2)
    assert trick.generator(step_on(Linear(1, 2), real, real))["distance"].item() == 0


def test_feature_matching_replaces_the_generators_loss_or_adds_to_it():
    names = {}
    for replace in ("true", "false"):
        one = trainer(trick=f"feature-matching:replace={replace}", recipe={"steps": 1, "batch_size": 8})
        names[replace] = set(generator_terms(one.game, fresh_step(one)))
    assert names == {"true": {"feature-matching/distance"}, "false": {"bce/fake", "feature-matching/distance"}}


def test_uniform_latents_fill_minus_one_to_one():
    z = component("trick", "uniform-latent").latent(torch.randn(1000, 10), torch.Generator().manual_seed(0))
    assert z.min() < -0.99 and z.max() > 0.99 and z.abs().max() <= 1
    assert z.var().item() == pytest.approx(1 / 3, abs=0.01)


def test_ema_halves_the_distance_in_one_half_life():
    one = trainer(trick="ema:half_life=32", recipe={"steps": 4, "batch_size": 8})
    average = one.game.tricks[-1][1]
    weight = next(one.game.networks.generator.parameters())
    with torch.no_grad():
        weight.zero_()
        average.half_life = 0.0  # as in the first step, whose weights it starts at
        average.after_step("generator", one.game.networks, 0)
        average.half_life = 32.0
        weight.fill_(1.0)
        for number in range(1, 5):  # four steps of eight images: one half-life
            average.after_step("generator", one.game.networks, number)
    assert next(one.game.sampler().parameters()).mean().item() == pytest.approx(0.5)


def test_ttur_sets_the_rates_of_the_paper():
    recipe = ganzoo.plan(model="mlp", loss="wgan-gp", trick="ttur").runs[0].recipe
    assert (recipe["generator_lr"], recipe["discriminator_lr"], recipe["n_critic"]) == (1e-4, 3e-4, 1)


def test_an_average_of_a_spectrally_normalised_generator_stays_normalised():
    """An average of spectral norm's own vectors would be too short, and its weights too large."""
    one = trainer(
        model="dcgan:norm=none,width=16",
        trick="spectral-norm:generator=true,ema:half_life=500",
        recipe={"steps": 60, "batch_size": 16, "generator_lr": 2e-3},
    )
    for _ in range(6):
        for _ in range(10):
            one.step()
        for record in one.records.values():
            record.read()
    assert torch.linalg.svdvals(one.game.sampler().eval().project.weight)[0] < 1.3


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_conditional_logits_start_as_small_as_unconditional_ones(name):
    torch.manual_seed(0)
    images = torch.rand(64, 1, 28, 28) * 2 - 1
    y = torch.arange(64) % 10
    spread = {}
    for classes in (0, 10):
        setting = Setting((1, 28, 28), classes)
        made = networks(name, setting)
        if classes:
            made = component("trick", "projection").wrap(made, setting)
        spread[classes] = made.head(made.body(images), y if classes else None).std().item()
    assert spread[10] < 3 * spread[0]
