"""Each loss is its paper's formula, pulls both players where they belong, and holds where images are packed."""

import copy
import math

import pytest
import torch
from torch import nn
from zoo import Linear, component, play, step_on, trainer

import ganzoo
from ganzoo.api import Targets, Verdict
from ganzoo.registry.lookup import installed
from ganzoo.train.step import Batch, PlayerStep
from ganzoo.zoo.penalties import between

LOSSES = ["bce", "dragan", "hinge", "lsgan", "ragan", "rpgan", "wgan", "wgan-gp", "wgan-lp"]
WITH_TARGETS = ["dragan", "lsgan", "ragan"]
WITHOUT_TARGETS = ["rpgan", "wgan", "wgan-lp"]


def pixels(*values: float) -> torch.Tensor:
    """Images of one pixel each."""
    return torch.tensor(values).view(-1, 1, 1, 1)


def values(terms) -> dict[str, float]:
    return {name: term.item() for name, term in terms.items()}


def total(terms) -> torch.Tensor:
    return torch.stack(list(terms.values())).sum()


class Bowl(nn.Module):
    """D(x) = ||x||^2 / 2, whose gradient at x is x."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).square().sum(1) / 2


# Formulas on known numbers: D is the identity of one pixel -----------------------------------------------------------

REAL, FAKE = pixels(3.0, 0.0), pixels(-1.0, 0.5)


def identity_step(player="discriminator") -> PlayerStep:
    return step_on(Linear(1.0, 1), REAL, FAKE, player)


def test_lsgan_pulls_reals_to_1_and_fakes_to_0():
    """1/2 E[(D(x) - 1)^2] + 1/2 E[D(G(z))^2], and for the generator 1/2 E[(D(G(z)) - 1)^2]."""
    terms = values(component("loss", "lsgan").discriminator(identity_step()))
    assert terms == {"real": (2**2 + 1**2) / 4, "fake": (1**2 + 0.5**2) / 4}
    assert values(component("loss", "lsgan").generator(identity_step("generator"))) == {"fake": (2**2 + 0.5**2) / 4}


def test_wgan_is_the_difference_of_means():
    assert values(component("loss", "wgan").discriminator(identity_step())) == {"wasserstein": -0.25 - 1.5}
    assert values(component("loss", "wgan").generator(identity_step("generator"))) == {"wasserstein": 0.25}


def sigmoid(t: float) -> float:
    return 1 / (1 + math.exp(-t))


def test_ragan_compares_with_the_average_of_the_others():
    d_real = [sigmoid(real + 0.25) for real in (3.0, 0.0)]  # the fakes' average is -0.25
    d_fake = [sigmoid(fake - 1.5) for fake in (-1.0, 0.5)]  # the reals' is 1.5
    terms = values(component("loss", "ragan").discriminator(identity_step()))
    assert terms["real"] == pytest.approx(-sum(math.log(d) for d in d_real) / 2)
    assert terms["fake"] == pytest.approx(-sum(math.log(1 - d) for d in d_fake) / 2)
    terms = values(component("loss", "ragan").generator(identity_step("generator")))
    assert terms["real"] == pytest.approx(-sum(math.log(1 - d) for d in d_real) / 2)
    assert terms["fake"] == pytest.approx(-sum(math.log(d) for d in d_fake) / 2)


def test_rpgan_compares_each_real_image_with_one_fake():
    (term,) = values(component("loss", "rpgan").discriminator(identity_step())).values()
    assert term == pytest.approx(-(math.log(sigmoid(3 + 1)) + math.log(sigmoid(0 - 0.5))) / 2)
    (term,) = values(component("loss", "rpgan").generator(identity_step("generator"))).values()
    assert term == pytest.approx(-(math.log(sigmoid(-1 - 3)) + math.log(sigmoid(0.5 - 0))) / 2)


def test_dragan_plays_the_original_game():
    dragan, bce = (values(component("loss", name).discriminator(identity_step())) for name in ("dragan", "bce"))
    assert {name: dragan[name] for name in bce} == bce
    step = identity_step("generator")
    assert values(component("loss", "dragan").generator(step)) == values(component("loss", "bce").generator(step))


@pytest.mark.parametrize("name", WITH_TARGETS)
def test_targets_that_a_trick_has_moved_are_the_ones_aimed_at(name):
    """Where all targets are 1, D is best where it calls everything real; where they are 0, fake."""
    slopes = []
    for target in (0.0, 1.0):
        fake = FAKE.clone().requires_grad_()
        step = step_on(Linear(1.0, 1), REAL, fake)
        step.targets = Targets(real=torch.full((2,), target), fake=torch.full((2,), target))
        term = component("loss", name).discriminator(step)["fake"]
        slopes.append(torch.autograd.grad(term, fake)[0].sum().item())
    assert slopes[0] > slopes[1]
    assert slopes[1] < 0


@pytest.mark.parametrize("name", ["ragan", "rpgan", "wgan", "wgan-gp", "wgan-lp"])
def test_a_relative_critic_may_add_any_constant(name):
    """Only differences of logits count, as for the Wasserstein critics that the relativistic ones generalise."""
    loss = component("loss", name)
    for of_player in (loss.discriminator, loss.generator):
        plain, shifted = (of_player(step_on(Shifted(by), REAL, FAKE)) for by in (0.0, 5.0))
        moved = total(shifted).item() - total(plain).item()
        assert moved == pytest.approx(-5.0 if of_player == loss.generator and "wasserstein" in plain else 0.0, abs=1e-5)


class Shifted(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).sum(1) + self.by


# Where the players are pulled ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_the_generator_raises_the_logits_of_its_images(name):
    fake = -torch.rand(6, 1, 2, 2).requires_grad_()
    step = step_on(Linear(1.0, 4), torch.rand(6, 1, 2, 2), fake, "generator")
    (slope,) = torch.autograd.grad(total(component("loss", name).generator(step)), fake)
    assert (slope < 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_discriminator_learns_to_rate_reals_above_fakes(name):
    critic = Linear(0.01, 4)
    step = step_on(critic, torch.rand(6, 1, 2, 2), -torch.rand(6, 1, 2, 2))
    (slope,) = torch.autograd.grad(total(component("loss", name).discriminator(step)), critic.a)
    assert (slope < 0).all()  # descent makes a larger, and a . x is positive on these reals, negative on these fakes


# Penalties -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "expected"), [(0.5, 0.0), (1.0, 0.0), (3.0, 40.0)])
def test_wgan_lp_penalises_only_gradients_longer_than_1(norm, expected):
    """Lambda max(0, |a| - 1)^2 with lambda 10."""
    step = step_on(Linear(norm, 9), torch.randn(6, 1, 3, 3), torch.randn(6, 1, 3, 3))
    assert component("loss", "wgan-lp").discriminator(step)["penalty"].item() == pytest.approx(expected, abs=1e-4)


def test_wgan_lp_is_wgan_gp_where_the_gradient_is_long():
    real, fake = 5 + torch.rand(6, 1, 3, 3), 5 + torch.rand(6, 1, 3, 3)
    terms = [component("loss", name).discriminator(step_on(Bowl(), real, fake)) for name in ("wgan-gp", "wgan-lp")]
    assert values(terms[0]) == values(terms[1])
    assert terms[0]["penalty"] > 1


@pytest.mark.parametrize(
    ("norm", "k", "expected"), [(1.0, 1.0, 0.0), (3.0, 1.0, 40.0), (0.5, 1.0, 2.5), (3.0, 2.0, 10)]
)
def test_dragans_penalty_of_a_linear_critic(norm, k, expected):
    """Lambda (|a| - k)^2 with lambda 10, wherever it looks."""
    step = step_on(Linear(norm, 9), torch.randn(6, 1, 3, 3), torch.randn(6, 1, 3, 3))
    assert component("loss", "dragan", k=k).discriminator(step)["penalty"].item() == pytest.approx(expected, abs=1e-4)


def test_dragan_looks_around_real_images_and_only_there():
    real, fake = torch.randn(6, 1, 3, 3), torch.full((6, 1, 3, 3), 1e6)
    norms = real.flatten(1).norm(dim=1)  # of the bowl's gradients at the real images
    without_noise = component("loss", "dragan", noise=0.0).discriminator(step_on(Bowl(), real, fake))["penalty"]
    assert without_noise.item() == pytest.approx(10 * (norms - 1).square().mean().item(), rel=1e-5)
    with_noise = component("loss", "dragan").discriminator(step_on(Bowl(), real, fake))["penalty"]
    assert 0 < abs(with_noise.item() - without_noise.item()) < without_noise.item()


def test_dragans_noise_goes_to_both_sides_up_to_half_a_standard_deviation():
    """The authors' release adds 0.5 std u, u from [0, 1], times alpha a sample; ours draws u from [-1, 1]."""
    real = 0.3 * torch.randn(400, 1, 8, 8)
    delta = component("loss", "dragan").near(step_on(Bowl(), real, real)) - real
    bound = 0.5 * real.std(correction=0)
    assert 0.95 * bound < delta.max() <= bound * (1 + 1e-5)
    assert -0.95 * bound > delta.min() >= -bound * (1 + 1e-5)
    assert abs(delta.mean()) < 0.01 * bound
    lengths = delta.flatten(1).abs().amax(1)  # alpha differs from image to image
    assert lengths.min() < 0.1 * bound and lengths.max() > 0.9 * bound


@pytest.mark.parametrize("name", ["dragan", "wgan-gp", "wgan-lp"])
def test_penalties_train_the_critic_and_repeat_with_the_seed(name):
    critic = Linear(3.0, 9)
    real, fake = torch.randn(6, 1, 3, 3), torch.randn(6, 1, 3, 3)
    once, again = (component("loss", name).discriminator(step_on(critic, real, fake))["penalty"] for _ in range(2))
    assert torch.equal(once, again)
    once.backward()
    assert critic.a.grad is not None and (critic.a.grad > 0).all()  # towards a smaller norm


@pytest.mark.parametrize("name", ["dragan", "wgan-gp", "wgan-lp"])
def test_a_flat_critic_breaks_no_penalty(name):
    """The norm has no slope at 0: its subgradient 0 keeps NaN out of the weights."""
    critic = Linear(0.0, 4)
    step = step_on(critic, torch.rand(4, 1, 2, 2), torch.rand(4, 1, 2, 2))
    total(component("loss", name).discriminator(step)).backward()
    assert critic.a.grad is not None and critic.a.grad.isfinite().all()


# Packing -------------------------------------------------------------------------------------------------------------


def packed_step(critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, player="discriminator") -> PlayerStep:
    """A step whose discriminator judges two images together."""

    def judge(images, step):
        pairs = images.reshape(len(images) // 2, -1)  # (N, C, H, W) -> (N / 2, 2*C*H*W)
        return Verdict(critic(pairs), pairs)

    rng = torch.Generator().manual_seed(0)
    return PlayerStep(player, 0, Batch(real, fake, fake.flatten(1), None), rng, judge, packing=2)


@pytest.mark.parametrize("name", LOSSES)
def test_one_answer_for_two_images_is_enough(name):
    critic = Linear(3.0, 8)  # of two images of four pixels
    real, fake = torch.rand(6, 1, 2, 2), torch.rand(6, 1, 2, 2)
    terms = component("loss", name).discriminator(packed_step(critic, real, fake))
    assert total(terms).isfinite()
    if "penalty" in terms:
        assert terms["penalty"].item() == pytest.approx(40, rel=1e-5)  # the norm over both images is 3
    assert total(component("loss", name).generator(packed_step(critic, real, fake, "generator"))).isfinite()


def test_points_between_packs_lie_on_the_lines_between_them():
    """What is judged together is one point, whose line from fake to real has one epsilon (Gulrajani et al. 2017)."""
    real, fake = torch.ones(40, 1, 1, 1), torch.zeros(40, 1, 1, 1)
    pairs = between(packed_step(Linear(1.0, 2), real, fake)).detach().view(20, 2)
    assert torch.equal(pairs[:, 0], pairs[:, 1])
    assert len(pairs[:, 0].unique()) == 20 and 0 < pairs.min() < 0.2 and 0.8 < pairs.max() < 1


def test_dragan_moves_what_is_judged_together_by_one_alpha():
    real = torch.randn(20, 1, 64, 64)
    delta = component("loss", "dragan").near(packed_step(Linear(1.0, 2), real, real)).detach() - real
    pairs = delta.flatten(1).abs().amax(1).view(10, 2)  # of 4,096 pixels, one lies close to alpha c std
    assert torch.allclose(pairs[:, 0], pairs[:, 1], rtol=0.02)
    assert pairs[:, 0].max() > 2 * pairs[:, 0].min()


# Clipping ------------------------------------------------------------------------------------------------------------


def test_wgans_critic_lies_within_the_clip_after_each_of_its_steps():
    one = trainer(loss="wgan", recipe={"steps": 3, "batch_size": 8})
    for _ in range(5):
        play(one, "discriminator")
        weights = torch.cat([weight.flatten() for weight in one.modules["discriminator"].parameters()])
        assert weights.abs().max().item() == pytest.approx(0.01)
    assert max(weight.abs().max().item() for weight in one.modules["generator"].parameters()) > 0.1


def test_the_generators_step_clips_nothing():
    one = trainer(loss="wgan", recipe={"steps": 3, "batch_size": 8})
    before = [weight.clone() for weight in one.modules["discriminator"].parameters()]
    play(one, "generator")
    assert all(map(torch.equal, before, one.modules["discriminator"].parameters()))


# Planning ------------------------------------------------------------------------------------------------------------


def test_wgan_trains_as_algorithm_1_says():
    recipe = ganzoo.plan(model="dcgan", loss="wgan").runs[0].recipe
    expected = {"optimizer": "rmsprop", "generator_lr": 5e-5, "discriminator_lr": 5e-5, "n_critic": 5, "batch_size": 64}
    assert {key: recipe[key] for key in expected} == expected


@pytest.mark.parametrize("name", ["dragan", "wgan-gp", "wgan-lp"])
def test_penalties_take_batch_norm_out_of_the_critic(name):
    (run,) = ganzoo.plan(model="dcgan", loss=name).runs
    assert run.architecture.typed_params.critic_norm == "layer"


@pytest.mark.parametrize("name", WITH_TARGETS)
def test_label_smoothing_goes_with_losses_that_have_targets(name):
    assert ganzoo.plan(model="mlp", loss=name, trick="label-smoothing").runs


@pytest.mark.parametrize("name", WITHOUT_TARGETS)
def test_label_smoothing_is_refused_by_the_others(name):
    with pytest.raises(ganzoo.errors.IncompatibleError, match="label-smoothing needs targets"):
        ganzoo.plan(model="mlp", loss=name, trick="label-smoothing")


def test_tricks_can_tell_that_rpgan_pairs_logits():
    provided = {name: "paired" in installed().get("loss", name).usable_spec.provides for name in LOSSES}
    assert provided == {name: name == "rpgan" for name in LOSSES}


# Training ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_TARGETS + WITHOUT_TARGETS)
def test_a_resumed_run_goes_on_bit_by_bit(name):
    request = {"loss": name, "recipe": {"steps": 4, "batch_size": 8, "n_critic": 2}}
    whole = trainer(**request)
    for _ in range(2):
        whole.step()
    resumed = trainer(**request)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, resumed):
        for _ in range(2):
            one.step()
    for player in ("generator", "discriminator"):
        ends = zip(whole.modules[player].parameters(), resumed.modules[player].parameters(), strict=True)
        assert all(torch.equal(a, b) and a.isfinite().all() for a, b in ends)
