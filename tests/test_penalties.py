"""Tricks that keep the critic's slope in bounds: known gradients, what the loss shares, and what they are for."""

import copy

import pytest
import torch
from torch import nn
from zoo import Linear, component, fresh_step, play, step_on, trainer

import ganzoo
from ganzoo.api import NoParams, Progress, Rates, Trick, Verdict
from ganzoo.train.step import Batch, PlayerStep, discriminator_terms

PENALTIES = ["gradient-penalty", "r1", "r2"]
SHORT = {"steps": 4, "batch_size": 8, "n_critic": 2}


class Bowl(nn.Module):
    """D(x) = s ||x||^2 / 2, whose gradient at x is s x."""

    def __init__(self, s: float = 1.0) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.tensor(s))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.s * images.flatten(1).square().sum(1) / 2


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """Real and fake images that a penalty may differentiate with respect to."""
    rng = torch.Generator().manual_seed(1)
    real, fake = (torch.randn(6, 1, 3, 3, generator=rng) for _ in range(2))
    return real.requires_grad_(), (2 * fake).requires_grad_()


def penalty(name: str, critic: nn.Module, **values) -> torch.Tensor:
    return component("trick", name, **values).discriminator(step_on(critic, *images()))["penalty"]


# Known gradients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", ["between", "real", "fake"])
@pytest.mark.parametrize(
    ("norm", "values", "expected"),
    [
        (1.0, {}, 0.0),
        (3.0, {}, 40.0),  # 10 (3 - 1)^2
        (0.5, {}, 2.5),
        (0.5, {"one_sided": True}, 0.0),
        (3.0, {"one_sided": True}, 40.0),
        (3.0, {"weight": 2.0, "norm": 0.0}, 18.0),
        (3.0, {"norm": 4.0}, 10.0),
    ],
)
def test_the_gradient_penalty_of_a_linear_critic(points, norm, values, expected):
    """Weight (|a| - norm)^2, wherever it is taken."""
    found = penalty("gradient-penalty", Linear(norm, 9), points=points, **values).item()
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("points", "which"), [("real", 0), ("fake", 1)])
def test_the_gradient_penalty_is_taken_at_the_points_it_is_told(points, which):
    norms = images()[which].flatten(1).norm(dim=1)
    expected = 10 * (norms - 1).square().mean().item()
    assert penalty("gradient-penalty", Bowl(), points=points).item() == pytest.approx(expected, rel=1e-5)


def test_points_between_lie_between():
    real, fake = torch.full((50, 1, 3, 3), 3.0), torch.full((50, 1, 3, 3), 2.0)
    trick = component("trick", "gradient-penalty", norm=0.0, weight=1.0)
    norm = trick.discriminator(step_on(Bowl(), real, fake))["penalty"].sqrt().item()
    assert 2 * 3 < norm < 3 * 3  # an image of nine pixels of 2 has norm 6, of 3 norm 9


def test_the_gradient_penalty_is_wgan_gps():
    critic, (real, fake) = Bowl(), images()
    loss = component("loss", "wgan-gp").discriminator(step_on(critic, real, fake))["penalty"]
    assert penalty("gradient-penalty", critic).item() == loss.item()


@pytest.mark.parametrize(("name", "which"), [("r1", 0), ("r2", 1)])
def test_r1_and_r2_are_half_gamma_times_the_mean_squared_gradient(name, which):
    expected = 3 / 2 * images()[which].flatten(1).square().sum(1).mean().item()
    assert penalty(name, Bowl(), gamma=3).item() == pytest.approx(expected, rel=1e-5)


def test_r1_is_the_gradient_penalty_of_norm_0_at_real_images():
    same = penalty("gradient-penalty", Bowl(), points="real", norm=0.0, weight=5.0)
    assert penalty("r1", Bowl()).item() == pytest.approx(same.item(), rel=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_train_the_critic(name):
    """A penalty is a function of the critic's weights: R1 is gamma/2 s^2 E||x||^2, whose slope is gamma s E||x||^2."""
    critic = Bowl(2.0)
    found = penalty(name, critic)
    found.backward()
    assert critic.s.grad is not None and critic.s.grad > 0
    if name != "gradient-penalty":
        assert critic.s.grad.item() == pytest.approx(found.item(), rel=1e-5)  # 2 / s times the penalty


@pytest.mark.parametrize("name", PENALTIES)
def test_a_flat_critic_breaks_no_penalty(name):
    critic = Linear(0.0, 9)
    penalty(name, critic).backward()
    assert critic.a.grad is not None and critic.a.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [("r1", {}, 10 / 2 * 9), ("gradient-penalty", {"points": "real", "norm": 0.0}, 10 * 9)],
)
def test_where_images_are_packed_the_gradient_is_that_of_the_pack(name, values, expected):
    """Each of three answers about two images has a gradient of norm 3."""
    critic = Linear(3.0, 18)

    def judge(seen, step):
        pairs = seen.reshape(len(seen) // 2, -1)  # (N, C, H, W) -> (N / 2, 2*C*H*W)
        return Verdict(critic(pairs), pairs)

    real, fake = images()
    step = PlayerStep("discriminator", 0, Batch(real, fake, fake, None), torch.Generator(), judge, packing=2)
    terms = component("trick", name, **values).discriminator(step)
    assert terms["penalty"].item() == pytest.approx(expected, rel=1e-5)


# Lazy regularisation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_lazy_penalty_comes_in_every_kth_step_k_times_as_strong(name):
    each = penalty(name, Bowl()).item()
    lazy = component("trick", name, interval=4)
    terms = [scheduled(lazy, number).discriminator(step_on(Bowl(), *images())) for number in range(8)]
    assert [len(found) for found in terms] == [1, 0, 0, 0, 1, 0, 0, 0]
    assert terms[0]["penalty"].item() == terms[4]["penalty"].item() == pytest.approx(4 * each, rel=1e-6)


def scheduled(trick: Trick, number: int) -> Trick:
    """Tell a trick which step comes next, as the trainer does."""
    trick.schedule(Rates(1.0, 1.0, 0.0, 0.9, 0.0), Progress(number, 100, 0))
    return trick


def test_images_need_gradients_in_steps_that_have_the_penalty_alone():
    """In the others their pass is differentiated once: it may be compiled or in bfloat16, and takes less time."""
    one = trainer(trick="r1:interval=2,r2:interval=3", recipe={"steps": 4, "batch_size": 8})
    needed = []
    one.game.networks.body.register_forward_hook(lambda _, images, found: needed.append(images[0].requires_grad))
    for _ in range(4):
        one.step()
    assert needed[0::3] == [True, False, True, False]  # of real images, then of fake ones, then of the generator's own
    assert needed[1::3] == [True, False, False, True]


# With a loss ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tricks", "passes"),
    [
        ("r1", 2),
        ("r1,r2", 2),
        ("gradient-penalty:points=real", 2),
        ("gradient-penalty:points=fake", 2),
        ("gradient-penalty", 3),
    ],
)
def test_a_penalty_at_real_or_fake_images_costs_no_pass_of_its_own(tricks, passes):
    one = trainer(trick=tricks, recipe=SHORT)
    counted = []
    one.game.networks.body.register_forward_hook(lambda *_: counted.append(1))
    terms = discriminator_terms(one.game, fresh_step(one, "discriminator"))
    assert len(counted) == passes
    assert all(term.isfinite() for term in terms.values())


class Doubled(Trick[NoParams]):
    """Shows the discriminator images of twice the contrast."""

    def augment(self, images, rng):
        return 2 * images


def test_the_gradient_is_with_respect_to_the_images_before_augmentation():
    """StyleGAN2-ADA's order: D(2 x) has twice the gradient in x that D has."""
    one = trainer(trick="r1", recipe=SHORT)
    one.game.networks.body, one.game.networks.head = nn.Identity(), lambda seen, y: seen.flatten(1).sum(1)
    found = [discriminator_terms(one.game, fresh_step(one, "discriminator"))["r1/penalty"].item()]
    one.game.tricks.append(("doubled", Doubled(NoParams())))
    found.append(discriminator_terms(one.game, fresh_step(one, "discriminator"))["r1/penalty"].item())
    assert found == pytest.approx([10 / 2 * 64, 4 * 10 / 2 * 64])


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_take_batch_norm_out_of_the_critic(name):
    (run,) = ganzoo.plan(model="dcgan", loss="bce", trick=name).runs
    assert run.architecture.typed_params.critic_norm == "layer"
    with pytest.raises(ganzoo.errors.IncompatibleError, match="per sample"):
        ganzoo.plan(model="dcgan:critic_norm=batch", loss="bce", trick=name)


def dirac_gan(gamma: float) -> list[float]:
    """The Dirac-GAN of Mescheder et al. 2018: data at 0, a generator at theta, D(x) = psi x; return |theta| a step."""
    loss, r1 = component("loss", "bce", saturating=True), component("trick", "r1", gamma=gamma)
    theta, psi = nn.Parameter(torch.ones(1, 1, 1, 1)), Linear(1.0, 1)
    real, distance = torch.zeros(1, 1, 1, 1, requires_grad=True), []
    for _ in range(250):
        step = step_on(psi, real, theta.detach())
        objective = sum(loss.discriminator(step).values()) + r1.discriminator(step)["penalty"]
        descend(psi.a, objective)
        descend(theta, loss.generator(step_on(psi, real, theta, "generator"))["fake"])
        distance.append(theta.abs().item())
    return distance


def descend(weight: nn.Parameter, objective: torch.Tensor) -> None:
    (slope,) = torch.autograd.grad(objective, weight)
    with torch.no_grad():
        weight -= 0.2 * slope


def test_r1_makes_the_dirac_gan_converge():
    """Mescheder et al. 2018, figure 1 and theorem 4.1: without it the players circle the equilibrium for ever."""
    circling, converging = dirac_gan(0.0), dirac_gan(1.0)
    assert max(circling[-60:]) > 0.9
    assert max(converging[-60:]) < 1e-3


# Weight clipping -----------------------------------------------------------------------------------------------------


def test_weight_clipping_keeps_any_losss_critic_within_the_clip():
    one = trainer(loss="hinge", trick="weight-clipping:clip=0.02", recipe=SHORT)
    for _ in range(3):
        play(one, "discriminator")
        critic = [weight.abs().max().item() for weight in one.modules["discriminator"].parameters()]
        assert max(critic) == pytest.approx(0.02)
    play(one, "generator")
    assert max(weight.abs().max().item() for weight in one.modules["generator"].parameters()) > 0.1


def test_weight_clipping_on_its_loss_is_wgan():
    """With the recipe of WGAN, and WGAN-LP's penalty weighted 0, both critics are the same bit by bit."""
    request = {"steps": 2, "batch_size": 8, "n_critic": 2, "optimizer": "rmsprop", "generator_lr": 5e-5}
    recipe = request | {"discriminator_lr": 5e-5}
    wgan = trainer(loss="wgan", recipe=recipe)
    other = trainer(loss="wgan-lp:penalty=0", trick="weight-clipping", recipe=recipe)
    for one in (wgan, other):
        for _ in range(2):
            one.step()
    for player in ("generator", "discriminator"):
        assert all(map(torch.equal, wgan.modules[player].parameters(), other.modules[player].parameters()))


# Training ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tricks", ["gradient-penalty", "r1:interval=3,r2", "weight-clipping"])
def test_a_resumed_run_goes_on_bit_by_bit(tricks):
    whole = trainer(loss="rpgan", trick=tricks, recipe=SHORT)
    for _ in range(2):
        whole.step()
    resumed = trainer(loss="rpgan", trick=tricks, recipe=SHORT)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, resumed):
        for _ in range(2):
            one.step()
    for player in ("generator", "discriminator"):
        ends = zip(whole.modules[player].parameters(), resumed.modules[player].parameters(), strict=True)
        assert all(torch.equal(a, b) and a.isfinite().all() for a, b in ends)
