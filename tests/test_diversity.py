"""The tricks against mode collapse: what each shows the discriminator, and that its state survives a restart."""

import copy
import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from zoo import component, fresh_step, networks, step_on, trainer

import ganzoo
from ganzoo.api import Networks, Setting
from ganzoo.errors import IncompatibleError, ParameterError
from ganzoo.train.step import discriminator_terms, generator_terms
from ganzoo.zoo.tricks.minibatch_discrimination import Closeness
from ganzoo.zoo.tricks.minibatch_stddev import Deviation, group_size
from ganzoo.zoo.tricks.packing import Packed
from ganzoo.zoo.tricks.virtual_batch_norm import VirtualNorm

SHORT = {"steps": 4, "batch_size": 8, "n_critic": 1}
SMALL = "mlp:generator=16,discriminator=16"


# Minibatch discrimination and standard deviation ----------------------------------------------------------------------


def closeness(features: int, kernels: int, dimensions: int) -> Closeness:
    """Kernels of scale 1, whose formula is the paper's."""
    torch.manual_seed(0)
    made = Closeness(features, kernels, dimensions)
    made.scale.fill_(1.0)
    return made


def test_closeness_is_the_sum_of_the_paper_without_the_sample_itself():
    made, f = closeness(3, 2, 4), torch.randn(5, 3)
    M = torch.einsum("na,bca->nbc", f, made.T.weight.detach().view(2, 4, 3))  # noqa: N806
    for i, b in itertools.product(range(5), range(2)):
        expected = sum(math.exp(-(M[i, b] - M[j, b]).abs().sum().item()) for j in range(5) if j != i)
        assert made(f)[i, b].item() == pytest.approx(expected, abs=1e-5)


def test_a_collapsed_batch_is_as_close_as_can_be():
    made = closeness(3, 2, 4)
    assert torch.allclose(made(torch.ones(5, 3)), torch.full((5, 2), 4.0))
    assert (made(100 * torch.randn(5, 3)) < 0.1).all()


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e3])
def test_the_first_batch_sets_the_scale_whatever_the_features_are(spread):
    made, f = Closeness(10, 7, 5), spread * torch.randn(40, 10)
    made(f)
    M = made.T(f).detach().view(40, 7, 5).transpose(0, 1)  # noqa: N806  (B, N, C)
    distance = torch.cdist(M, M, p=1) + torch.eye(40).mul(1e9)
    assert torch.allclose(distance.amin(2).mean(1) * made.scale, torch.full((7,), 2.0), rtol=1e-3)
    before = made.scale.clone()
    made(2 * f)
    assert torch.equal(made.scale, before)


def test_a_linear_head_with_a_statistic_is_one_over_the_concatenation():
    setting = Setting((1, 8, 8))
    plain = networks("mlp", setting)
    linear = plain.head.linear
    made = component("trick", "minibatch-discrimination", kernels=6).wrap(plain, setting)
    f = torch.randn(9, plain.features)
    o = made.head.statistic(f)
    weight = torch.cat([linear.weight, made.head.weight.weight], 1)
    assert torch.allclose(made.head(f, None), (torch.cat([f, o], 1) @ weight.T).squeeze(1) + linear.bias, atol=1e-5)


def test_a_statistic_starts_with_little_say_and_vectors_as_long_as_features():
    head = (
        component("trick", "minibatch-discrimination", kernels=400)
        .wrap(Networks(nn.Identity(), nn.Identity(), nn.Identity(), latent=1, features=64), Setting((1, 8, 8)))
        .head
    )
    assert head.weight.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert head.statistic.T.weight.std().item() == pytest.approx(64**-0.5, rel=0.02)


def test_deviation_is_one_number_for_a_group():
    f = torch.tensor([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [7.0, 5.0]])  # samples 0 and 2, 1 and 3 are the groups
    found = Deviation(2)(f).squeeze(1)
    assert found.tolist() == pytest.approx([0.5, 1.5, 0.5, 1.5], abs=1e-3)  # means of (1, 0) and (3, 0)


def test_a_collapsed_group_deviates_by_nothing_and_has_finite_slopes():
    f = torch.ones(8, 3, requires_grad=True)
    found = Deviation(4)(f)
    assert found.abs().max() < 1e-3
    (slope,) = torch.autograd.grad(found.sum(), f, create_graph=True)
    slope.square().sum().backward()
    assert slope.isfinite().all() and f.grad is not None and f.grad.isfinite().all()


def test_groups_divide_every_batch():
    asked = {64: 4, 10: 5, 7: 7, 3: 3, 2: 2, 1: 1}
    assert {count: group_size(count, 4) for count in asked} == asked


@pytest.mark.parametrize("statistic", [closeness(3, 2, 4), Deviation(2)], ids=["discrimination", "stddev"])
def test_both_can_be_differentiated_twice(statistic):
    f = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(copy.deepcopy(statistic).double(), f)


# Packing --------------------------------------------------------------------------------------------------------------


def test_consecutive_images_become_channels_of_one():
    images = torch.arange(6.0).view(6, 1, 1, 1) * torch.ones(6, 2, 3, 3)
    seen = Packed(nn.Identity(), 3)(images)
    assert seen.shape == (2, 6, 3, 3)
    assert seen[:, :, 0, 0].tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]


@pytest.mark.parametrize("loss", ["bce", "hinge", "wgan-gp"])
@pytest.mark.parametrize("model", ["dcgan:width=4", SMALL])
def test_a_packed_discriminator_trains_and_answers_once_a_pack(model, loss):
    one = trainer(model=model, loss=loss, trick="packing:m=4", recipe=SHORT)
    step = fresh_step(one, "discriminator")
    verdict = step.judge(step.fake)
    assert (len(verdict.logits), len(verdict.features)) == (2, 2)
    assert (len(step.targets.real), len(step.targets.fake)) == (2, 2)
    before = [weight.clone() for weight in one.modules["discriminator"].parameters()]
    one.step()
    after = list(one.modules["discriminator"].parameters())
    assert all(weight.isfinite().all() for weight in after)
    assert not all(map(torch.equal, before, after))


def test_an_answer_depends_on_every_image_of_its_pack_and_on_no_other():
    one = trainer(model=SMALL, loss="wgan-gp", trick="packing:m=2", recipe=SHORT)
    images = torch.randn(6, *one.run.shape, requires_grad=True)
    step = fresh_step(one, "discriminator")
    (slope,) = torch.autograd.grad(step.judge(images).logits[1], images)
    assert (slope.flatten(1).norm(dim=1) > 0).tolist() == [False, False, True, True, False, False]


@pytest.mark.parametrize("conditional", ["projection", "auxiliary-classifier"])
def test_packs_of_several_classes_are_refused(conditional):
    with pytest.raises(IncompatibleError, match="packing: the images that it packs together have different classes"):
        ganzoo.plan(model="mlp", loss="bce", trick=f"packing,{conditional}")


# Unrolling ------------------------------------------------------------------------------------------------------------


@dataclass
class Chase:
    """A discriminator of one weight that minimises (theta - g)^2 / 2, and so follows the generator's g."""

    g: torch.Tensor
    theta: torch.Tensor

    @property
    def weights(self):
        return {"theta": self.theta}

    def objective(self):
        return (self.theta - self.g).square().sum() / 2

    def moved(self, weights):
        return Chase(self.g, weights["theta"])


@pytest.mark.parametrize("K", [1, 3, 10])
def test_unrolling_is_gradient_descent_that_the_generator_sees_through(K):  # noqa: N803
    """theta_K = g + (1 - eta)^K (theta_0 - g), so that d theta_K / d g = 1 - (1 - eta)^K."""
    g, eta = torch.tensor(2.0, requires_grad=True), 0.25
    now = Chase(g, torch.tensor(-1.0, requires_grad=True))
    step = step_on(nn.Identity(), torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), "generator")
    then = component("trick", "unrolled", steps=K, rate=eta).opponent(now, step)
    left = (1 - eta) ** K
    assert then.weights["theta"].item() == pytest.approx(2 - 3 * left)
    (slope,) = torch.autograd.grad(then.weights["theta"], g)
    assert slope.item() == pytest.approx(1 - left)
    assert now.theta.item() == -1


@pytest.mark.parametrize(("model", "loss"), [("dcgan:width=4", "bce"), (SMALL, "wgan-gp"), (SMALL, "rpgan")])
def test_unrolling_lowers_the_discriminators_objective_and_leaves_it_alone(model, loss):
    one = trainer(model=model, loss=loss, trick="unrolled:steps=2", recipe=SHORT)
    trick, step = one.game.tricks[0][1], fresh_step(one)
    before = [weight.clone() for weight in one.modules["discriminator"].parameters()]
    objectives = []

    def watched(opponent, step):
        ahead = type(trick).opponent(trick, opponent, step)
        objectives.extend(o.objective().item() for o in (opponent, ahead))
        return ahead

    trick.opponent = watched
    terms = generator_terms(one.game, step)
    assert objectives[1] < objectives[0]
    sum(terms.values()).backward()
    assert all(weight.grad is not None for weight in one.game.networks.generator.parameters())
    assert all(map(torch.equal, before, one.modules["discriminator"].parameters()))


def test_a_discriminator_is_unrolled_by_one_step_at_least():
    with pytest.raises(ParameterError, match="steps must be at least 1"):
        ganzoo.plan(model="mlp", loss="bce", trick="unrolled:steps=0")


# Virtual batch norm ---------------------------------------------------------------------------------------------------


def test_a_sample_counts_as_one_more_of_the_reference():
    """Reference -1 and 1, sample 3: mean 1 and mean square 11/3 of the three."""
    norm = VirtualNorm(nn.BatchNorm1d(1, eps=0), 2)
    reference, sample = norm(torch.tensor([[-1.0], [1.0], [3.0]])).split([2, 1])
    assert reference.flatten().tolist() == [-1, 1]
    assert sample.item() == pytest.approx(2 / math.sqrt(8 / 3))


def test_a_samples_statistics_are_taken_over_its_positions():
    x = torch.randn(5, 3, 4, 4)  # four of the reference, one sample
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    found = VirtualNorm(norm, 4)(x)
    assert torch.allclose(found[:4], norm(x[:4]), atol=1e-5)
    assert torch.allclose(found[4:], norm(x)[4:], atol=1e-5)  # 16 positions of 80 are a fifth, as is one of five


def test_in_bfloat16_its_statistics_are_those_of_float32():
    x = (torch.randn(24, 8, 4, 4) + 10).bfloat16()
    norm = VirtualNorm(nn.BatchNorm2d(8), 16)
    low = norm(x)
    assert low.dtype == torch.bfloat16
    assert (low.float() - norm(x.float())).abs().mean() < 3e-3  # its own rounding leaves 1e-3


def test_far_from_zero_it_stays_finite():
    x = 1e4 + 1e-3 * torch.randn(6, 2, 3, 3)
    assert VirtualNorm(nn.BatchNorm2d(2), 4)(x).isfinite().all()


def virtual(name: str, setting: Setting, **values) -> Networks:
    return component("trick", "virtual-batch-norm", reference=6).wrap(networks(name, setting, **values), setting)


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_no_image_depends_on_its_batch_nor_on_the_mode(name, classes):
    made = virtual(name, Setting((1, 8, 8), classes))
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in made.generator.modules())
    z, y = torch.randn(5, made.latent), torch.arange(5) if classes else None
    together = made.generator(z, y)
    assert together.shape == (5, 1, 8, 8)
    for mode in (True, False):
        made.generator.train(mode)
        alone = [made.generator(z[i : i + 1], None if y is None else y[i : i + 1]) for i in range(5)]
        assert torch.allclose(torch.cat(alone), together, atol=1e-5)


def test_the_reference_comes_from_the_seed_of_the_weights():
    one, again = (virtual("mlp", Setting((1, 8, 8), 10)).generator.state_dict() for _ in range(2))
    assert all(map(torch.equal, one.values(), again.values()))
    assert one["y"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_generator_without_batch_norm_is_refused():
    with pytest.raises(IncompatibleError, match="no batch norm"):
        virtual("mlp", Setting((1, 8, 8)), norm="layer")


def test_a_reference_of_other_latents_is_refused():
    with pytest.raises(IncompatibleError, match="its reference batch is standard normal"):
        ganzoo.plan(model="mlp", loss="bce", trick="virtual-batch-norm,uniform-latent")


def test_an_average_keeps_the_reference():
    one = trainer(model=SMALL, trick="virtual-batch-norm:reference=6,ema:half_life=8", recipe=SHORT)
    for _ in range(3):
        one.step()
    assert torch.equal(one.game.sampler().get_buffer("z"), one.game.networks.generator.get_buffer("z"))


# All of them ----------------------------------------------------------------------------------------------------------

TRICKS = [
    "minibatch-discrimination",
    "minibatch-stddev",
    "packing",
    "unrolled:steps=2",
    "virtual-batch-norm:reference=6",
    "truncated-latent",
    "mixture-latent",
    "auxiliary-classifier",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_resumed_run_goes_on_as_if_nothing_had_happened(trick):
    whole, broken = (trainer(model=SMALL, trick=trick, recipe=SHORT) for _ in range(2))
    whole.step()
    broken.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, broken):
        one.step()
    for player in ("discriminator", "generator"):
        assert all(map(torch.equal, whole.modules[player].state_dict().values(),
                       broken.modules[player].state_dict().values())), player  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_the_weights_are_all_that_a_generator_needs_elsewhere(trick):
    trained, other = (trainer(model=SMALL, trick=trick, recipe=SHORT, seeds=2) for _ in range(2))
    trained.step()
    other.game.networks.generator.load_state_dict(trained.game.networks.generator.state_dict())
    y = torch.arange(5) if trained.game.setting.classes else None
    images = []
    for one in (trained, other):
        one.game.networks.generator.eval()
        z = one.game.latents(5, torch.Generator().manual_seed(1))
        images.append(one.game.networks.generator(z, y))
    assert torch.equal(*images)


@pytest.mark.parametrize("trick", ["minibatch-discrimination", "minibatch-stddev"])
@pytest.mark.parametrize("loss", ["wgan-gp", "hinge"])
def test_a_batch_is_judged_by_its_spread(trick, loss):
    """The term's weight gets a gradient of its own, through penalties too."""
    one = trainer(model="dcgan:width=4", loss=loss, trick=f"{trick},packing", recipe=SHORT)
    sum(discriminator_terms(one.game, fresh_step(one, "discriminator")).values()).backward()
    assert one.game.networks.head.weight.weight.grad.abs().sum() > 0
