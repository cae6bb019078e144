"""Tricks on the images that the discriminator sees: what each does to them, and that gradients pass through twice."""

import copy
import math
from collections import Counter

import pytest
import torch
from torch.autograd import gradgradcheck
from torch.nn.functional import grid_sample, pad
from zoo import Linear, component, fresh_step, step_on, trainer

import ganzoo
from ganzoo.api import Progress, Rates, Setting, Verdict
from ganzoo.errors import IncompatibleError
from ganzoo.params import build
from ganzoo.registry.lookup import installed
from ganzoo.train.step import Batch, PlayerStep, discriminator_terms, generator_terms
from ganzoo.zoo.transforms import flip, shift
from ganzoo.zoo.tricks.ada import Draw, copied, recolor, transformed
from ganzoo.zoo.tricks.diffaugment import _hidden
from ganzoo.zoo.warp import _Sample, blit, warp

SHORT = {"steps": 6, "batch_size": 8, "n_critic": 2}
AUGMENTING = ["instance-noise", "diffaugment", "ada:start=0.9"]
ALL = [*AUGMENTING, "hflip", "consistency:shift=2"]
PIPELINES = ["bgc", "bg", "blit", "geom", "color"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=rng(9), dtype=dtype) * 2 - 1


def built(text: str):
    name, _, values = text.partition(":")
    return component("trick", name, **dict(value.split("=") for value in filter(None, values.split(","))))


# What every one of them keeps to ------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", [*AUGMENTING[:2], *(f"ada:start=0.9,pipeline={pipeline}" for pipeline in PIPELINES)])
def test_gradients_pass_through_an_augmentation_twice(text, channels):
    """As R1 needs them: its penalty is a gradient, and it is differentiated."""
    trick, images = built(text), noise(2, channels, 4, 5, dtype=torch.float64).requires_grad_()
    assert gradgradcheck(lambda x: trick.augment(x, rng()).sin(), (images,))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("text", AUGMENTING)
def test_images_keep_their_shape_and_draws_differ_from_image_to_image(text, channels):
    one = noise(1, channels, 16, 12)
    seen = built(text).augment(one.expand(32, -1, -1, -1), rng())
    assert seen.shape == (32, channels, 16, 12) and seen.dtype == one.dtype and seen.isfinite().all()
    assert len(torch.unique(seen.flatten(1), dim=0)) > 25
    assert torch.equal(seen, built(text).augment(one.expand(32, -1, -1, -1), rng()))


@pytest.mark.parametrize("text", AUGMENTING)
def test_both_players_see_augmented_images_real_and_fake_and_nobody_else_does(text):
    one = trainer(model="mlp", loss="bce", trick=text, recipe=SHORT)
    entered = []
    one.game.networks.body.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0]))
    for player in ("discriminator", "generator"):
        step = fresh_step(one, player)
        before = step.real.clone(), step.fake.clone()
        for images, untouched in zip((step.real, step.fake), before, strict=True):
            step.judge(images)
            assert not torch.equal(entered[-1], images)
            assert torch.equal(images, untouched)
    assert len(entered) == 4
    assert one.game.sampler() is one.game.networks.generator  # what is scored comes from the generator as it is


@pytest.mark.parametrize("text", ALL)
def test_a_resumed_run_ends_bit_identical(text):
    whole, resumed = (trainer(trick=text, recipe=SHORT) for _ in range(2))
    for _ in range(3):
        whole.step()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for one in (whole, resumed):
        for _ in range(3):
            one.step()
    for player in whole.modules:
        pairs = zip(whole.modules[player].parameters(), resumed.modules[player].parameters(), strict=True)
        assert all(torch.equal(*pair) and pair[0].isfinite().all() for pair in pairs)


@pytest.mark.parametrize("text", ["diffaugment", "ada:start=0.9,images=0", "consistency:shift=2"])
def test_a_gradient_penalty_trains_through_it(text):
    one = trainer(model="dcgan:width=4,critic_norm=none", loss="wgan-gp", trick=text, recipe=SHORT)
    discriminator_terms(one.game, fresh_step(one, "discriminator"))["wgan-gp/penalty"].backward()
    assert one.game.networks.body.layers[0].weight.grad.norm() > 0


@pytest.mark.parametrize(
    ("name", "values", "shape", "reason"),
    [
        ("hflip", {}, (2, 1, 1), "one pixel wide"),
        ("diffaugment", {}, (2, 1, 1), "1x1 pixels"),
        ("ada", {}, (2, 1, 1), "1 or 3 channels"),
        ("ada", {"pipeline": "bg"}, (2, 1, 1), "1x1 pixels"),
        ("consistency", {"shift": 8}, (1, 8, 8), "smaller shift"),
        ("consistency", {}, (1, 8, 8), None),
        ("ada", {}, (1, 8, 8), None),
        ("ada", {"pipeline": "bg"}, (2, 8, 8), None),
    ],
)
def test_images_that_they_cannot_transform_are_refused(name, values, shape, reason):
    spec = installed().get("trick", name).usable_spec
    said = spec.refuse(build(spec.params, values, name), Setting(shape))
    assert said is None if reason is None else reason in said


# Shared transforms --------------------------------------------------------------------------------------------------


def test_a_flip_mirrors_half_of_the_images():
    images = noise(400, 1, 3, 4)
    flipped = flip(images, rng())
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert ((flipped == images).flatten(1).all(1) ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


@pytest.mark.parametrize("reflect", [True, False])
def test_a_shift_is_a_crop_of_the_padded_image_and_every_shift_is_drawn(reflect):
    image = noise(1, 2, 5, 4)
    shifted = shift(image.expand(300, -1, -1, -1), 2, 1, rng(), reflect=reflect)
    padded = pad(image, (1, 1, 2, 2), mode="reflect" if reflect else "constant")
    crops = [padded[0, :, y : y + 5, x : x + 4] for y in range(5) for x in range(3)]
    hits = torch.stack([(shifted == crop).flatten(1).all(1) for crop in crops])
    assert (hits.sum(0) == 1).all() and hits.any(1).all()


def test_hflip_mirrors_the_dataset_and_leaves_generated_images_alone():
    plain, flipped = (trainer(trick=trick, recipe=SHORT) for trick in ((), "hflip"))
    before, after = (one._real(one.batches.next()) for one in (plain, flipped))
    same, mirrored = ((after == images).flatten(1).all(1) for images in (before, before.flip(3)))
    assert (same | mirrored).all() and same.any() and mirrored.any()
    step = fresh_step(flipped)
    assert flipped.game.tricks[0][1].augment(step.fake, flipped.rng) is step.fake


# Instance noise -----------------------------------------------------------------------------------------------------

RATES = Rates(1e-4, 1e-4, 0.5, 0.9, 0.0)


@pytest.mark.parametrize(("step", "sd"), [(0, 0.4), (25, 0.2), (50, 0.0), (90, 0.0)])
def test_instance_noise_fades_linearly_over_its_share_of_the_run(step, sd):
    trick = component("trick", "instance-noise", sd=0.4, anneal=0.5)
    assert trick.schedule(RATES, Progress(step, 100, 0)) == RATES
    images = noise(64, 3, 8, 8)
    added = trick.augment(images, rng()) - images
    assert added.std().item() == pytest.approx(sd, rel=0.02, abs=1e-7)


def test_instance_noise_stays_where_it_is_not_annealed():
    trick = component("trick", "instance-noise", sd=0.4, anneal=0)
    trick.schedule(RATES, Progress(99, 100, 0))
    assert trick.sd.item() == pytest.approx(0.4)


# DiffAugment --------------------------------------------------------------------------------------------------------


def only(policy: str):
    return component("trick", "diffaugment", **{name: name == policy for name in ("color", "translation", "cutout")})


def test_diffaugment_changes_colour_as_the_release_does():
    images = noise(6, 3, 4, 4)
    b, s, c = torch.rand(3, 6, 1, 1, 1, generator=rng())
    x = images + (b - 0.5)
    x = (x - x.mean(1, keepdim=True)) * (2 * s) + x.mean(1, keepdim=True)
    x = (x - x.mean((1, 2, 3), keepdim=True)) * (c + 0.5) + x.mean((1, 2, 3), keepdim=True)
    assert torch.allclose(only("color").augment(images, rng()), x, atol=1e-6)


def test_diffaugment_translates_by_an_eighth_and_fills_with_zeros():
    moved = only("translation").augment(torch.ones(500, 1, 16, 32), rng())
    rows, columns = moved[:, 0].amax(2).sum(1), moved[:, 0].amax(1).sum(1)
    assert set(rows.tolist()) == {14, 15, 16} and set(columns.tolist()) == {28, 29, 30, 31, 32}


def test_diffaugment_cuts_out_a_square_of_half_the_side():
    cut = only("cutout").augment(torch.ones(2000, 1, 8, 8), rng())[:, 0]
    heights, widths = ((1 - cut).amax(axis).sum(1) for axis in (2, 1))
    assert torch.equal((1 - cut).sum((1, 2)), heights * widths)  # a rectangle, whole unless it meets the edge
    assert set(heights.tolist()) == set(widths.tolist()) == {2, 3, 4}
    assert (cut.mean(0) < 0.95).all()  # it reaches every pixel


@pytest.mark.parametrize("side", [4, 5, 6, 7])
def test_diffaugment_hides_the_places_of_the_release(side):
    """A square of int(side / 2 + 0.5); where that is even, one place more keeps either edge as likely."""
    size = int(side * 0.5 + 0.5)
    offsets = range(side + (1 - size % 2))
    places = {frozenset(range(max(at - size // 2, 0), min(at - size // 2 + size, side))) for at in offsets}
    assert len(places) == len(offsets)
    found = Counter(frozenset(row.nonzero().flatten().tolist()) for row in _hidden(4000, side, rng()))
    assert found.keys() == places
    assert all(count == pytest.approx(4000 / len(places), rel=0.2) for count in found.values())


def test_diffaugment_rounds_its_shares_as_the_release_does():
    """An eighth of 28 is 4 and half of 7 is 4: int(side * share + 0.5)."""
    moved = only("translation").augment(torch.ones(500, 1, 28, 28), rng())[:, 0]
    assert {int(rows) for rows in moved.amax(2).sum(1)} == {24, 25, 26, 27, 28}
    hidden = 1 - only("cutout").augment(torch.ones(500, 1, 7, 7), rng())[:, 0]
    assert max(hidden.amax(2).sum(1)) == 4


def test_diffaugment_without_a_policy_does_nothing():
    images = noise(2, 1, 8, 8)
    assert only("nothing").augment(images, rng()) is images


# ADA: the transforms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_ada_is_the_identity_while_p_is_0(pipeline, channels):
    images = noise(8, channels, 9, 8)
    assert torch.equal(component("trick", "ada", pipeline=pipeline).augment(images, rng()), images)


def maps(count: int, linear: list[list[float]], offset: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(linear).expand(count, 2, 2), torch.tensor(offset).expand(count, 2)


@pytest.mark.parametrize("side", [7, 8])
def test_blitting_copies_pixels(side):
    images = noise(2, 3, side, side)
    assert torch.equal(blit(images, *maps(2, [[-1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])), images.flip(3))
    assert torch.equal(blit(images, *maps(2, [[0.0, 1.0], [-1.0, 0.0]], [0.0, 0.0])), images.rot90(-1, (2, 3)))
    moved = blit(images, *maps(2, [[1.0, 0.0], [0.0, 1.0]], [-2.0, 1.0]))  # drawn from 2 to the left and 1 below
    assert torch.equal(moved, pad(images, (2, 0, 0, 1), mode="reflect")[:, :, 1:, :side])


def waves(x: torch.Tensor, y: torch.Tensor, side: int) -> torch.Tensor:
    """A picture that is its own mirror image at the centres of the outermost pixels; the centre is at 0."""
    x, y = ((place + (side - 1) / 2) * math.pi / (side - 1) for place in (x, y))
    return x.cos() + 0.5 * (2 * y).cos() * x.cos()


@pytest.mark.parametrize("angle", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.6])
def test_warping_draws_the_picture_that_the_map_points_to(angle, scale):
    """Against the formula of the picture, beyond its edges too; the filter's delay is worth up to 0.4 pixels."""
    side = 64
    place = torch.arange(side) - (side - 1) / 2
    y, x = torch.meshgrid(place, place, indexing="ij")
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    drawn = warp(waves(x, y, side)[None, None], *maps(1, [[cos, -sin], [sin, cos]], [5.5, -3.0]))[0, 0]
    expected = waves(cos * x - sin * y + 5.5, sin * x + cos * y - 3, side)
    assert (drawn - expected).abs().max() < 0.05
    if angle == 0 and scale == 1:  # what doubling delays, halving makes up for
        assert (drawn - expected)[10:-10, 10:-10].abs().max() < 1e-3


def test_sampling_and_its_gradient_are_pytorchs_own():
    images, grid = noise(2, 2, 5, 6, dtype=torch.float64).requires_grad_(), 2 * noise(2, 4, 3, 2, dtype=torch.float64)
    native = grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    ours = _Sample.apply(images, grid)
    assert torch.equal(ours, native)
    slopes = [torch.autograd.grad(drawn.sin().sum(), images)[0] for drawn in (ours, native)]
    assert torch.allclose(*slopes)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8, 1.0])
def test_each_transform_takes_effect_with_probability_p(p):
    draw = Draw(4000, torch.tensor(p), rng())
    linear, offset = copied(draw, 64, 64)
    assert (torch.linalg.det(linear) < 0).float().mean().item() == pytest.approx(p / 2, abs=0.03)
    assert (offset.abs().amax(1) > 0.5).float().mean().item() == pytest.approx(p, abs=0.03)
    assert offset.abs().max() <= 8.001  # an eighth of the side
    linear, _ = transformed(draw, 64, 64)
    assert (linear[:, 0, 1] != 0).float().mean().item() == pytest.approx(p, abs=0.03)  # either turn, or both
    scaled = (torch.linalg.det(linear) - 1).abs() > 1e-4  # stretching and turning keep the area
    assert scaled.float().mean().item() == pytest.approx(p, abs=0.03)
    shades = recolor(torch.zeros(4000, 1, 1, 1), draw)
    assert (shades != 0).float().mean().item() == pytest.approx(p, abs=0.03)  # brightness


def homogeneous(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor, right=0, down=0) -> torch.Tensor:
    """Matrices (N, 3, 3) of x -> [[a, b], [c, d]] x + (right, down)."""
    rows = [torch.broadcast_tensors(*map(torch.as_tensor, row)) for row in ((a, b, right), (c, d, down))]
    upper = torch.stack([torch.stack(row, 1) for row in rows], 1)  # (N, 2, 3)
    return torch.cat([upper, torch.tensor([0.0, 0.0, 1.0]).expand(len(upper), 1, 3)], 1)


def stretching(right: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    return homogeneous(right, 0 * right, 0 * right, down)


def turning(angle: torch.Tensor) -> torch.Tensor:
    return homogeneous(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def moving(right: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    one = torch.ones_like(right)
    return homogeneous(one, 0 * one, 0 * one, one, right, down)


def copies_in_a_row(draw: Draw, width: int, height: int) -> torch.Tensor:
    """Flip, quarter turn and move by whole pixels, one after the other, as the paper lists them."""
    flipped = (draw.happens() & (draw.uniform() < 0.5)).float()
    total = stretching(1 - 2 * flipped, torch.ones_like(flipped))
    total = turning(draw.happens() * (4 * draw.uniform()).floor() * math.pi / 2) @ total
    moved = draw.happens()
    right, down = (2 * draw.uniform() - 1) / 8, (2 * draw.uniform() - 1) / 8
    return moving(moved * (right * width).round(), moved * (down * height).round()) @ total


def transforms_in_a_row(draw: Draw, width: int, height: int) -> torch.Tensor:
    """Scale, turn, stretch, turn and move, likewise; 1 - (1 - p_rot)^2 = p."""
    p_rot = 1 - (1 - draw.p) ** 0.5
    s = torch.exp2(draw.happens() * draw.normal(0.2))
    total = stretching(s, s)
    total = turning(draw.happens(p_rot) * (2 * draw.uniform() - 1) * math.pi) @ total
    s = torch.exp2(draw.happens() * draw.normal(0.2))
    total = stretching(s, 1 / s) @ total
    total = turning(draw.happens(p_rot) * (2 * draw.uniform() - 1) * math.pi) @ total
    moved = draw.happens()
    return moving(moved * draw.normal(0.125) * width, moved * draw.normal(0.125) * height) @ total


@pytest.mark.parametrize(("ours", "papers"), [(copied, copies_in_a_row), (transformed, transforms_in_a_row)])
def test_pixels_come_from_where_the_papers_transforms_in_a_row_take_them(ours, papers):
    count, p, width, height = 200, torch.tensor(0.7), 24, 16
    linear, offset = ours(Draw(count, p, rng()), width, height)
    expected = torch.linalg.inv(papers(Draw(count, p, rng()), width, height))
    assert torch.allclose(linear, expected[:, :2, :2], atol=1e-5)
    assert torch.allclose(offset, expected[:, :2, 2], atol=1e-4)


def in_a_row(images: torch.Tensor, draw: Draw) -> torch.Tensor:
    """The colour transforms as the paper lists them: five homogeneous matrices, one after the other."""
    n, v = len(images), torch.ones(3) / math.sqrt(3)
    eye, axis = torch.eye(4), torch.zeros(4, 4)
    axis[:3, :3] = torch.outer(v, v)
    linear = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0]))
    rows = lambda values: values.view(n, 1, 1)  # noqa: E731
    b = rows(draw.happens() * draw.normal(0.2))
    total = eye + b * torch.outer(torch.tensor([1.0, 1, 1, 0]), torch.tensor([0.0, 0, 0, 1]))
    c = rows(torch.exp2(draw.happens() * draw.normal(0.5)))
    total = (eye + (c - 1) * linear) @ total
    flipped = rows((draw.happens() & (draw.uniform() < 0.5)).float())
    total = (eye - 2 * flipped * axis) @ total
    theta = draw.happens() * (draw.uniform() * 2 - 1) * math.pi
    turns = eye.repeat(n, 1, 1)
    cross = torch.linalg.cross(v.expand(3, 3), torch.eye(3)).mT
    turns[:, :3, :3] = torch.linalg.matrix_exp(rows(theta) * cross)
    total = turns @ total
    s = rows(torch.exp2(draw.happens() * draw.normal(1.0)))
    total = (axis + torch.diag(torch.tensor([0.0, 0, 0, 1])) + s * (linear - axis)) @ total
    pixels = torch.cat([images.flatten(2), torch.ones(n, 1, images[0, 0].numel())], 1)
    return (total @ pixels)[:, :3].view_as(images)


def test_colours_change_as_by_the_papers_five_matrices():
    images, p = noise(64, 3, 4, 4), torch.tensor(0.7)
    changed, expected = recolor(images, Draw(64, p, rng())), in_a_row(images, Draw(64, p, rng()))
    assert torch.allclose(changed, expected, atol=1e-5)
    assert not torch.allclose(changed, images, atol=0.1)


def test_grey_images_change_as_grey_ones_of_three_channels_do():
    images, p = noise(64, 1, 4, 4), torch.tensor(0.7)
    grey = recolor(images, Draw(64, p, rng()))
    colored = recolor(images.expand(-1, 3, -1, -1), Draw(64, p, rng()))
    assert torch.allclose(grey.expand_as(colored), colored, atol=1e-5)


# ADA: p -------------------------------------------------------------------------------------------------------------


def played(trick, logits: torch.Tensor, steps: int) -> float:
    """Let a discriminator give the real images these logits for some steps; return p."""
    images = torch.zeros(len(logits), 1, 2, 2)
    for number in range(steps):
        step = step_on(Linear(1, 4), images, images + 1, number=number)
        trick.verdict(Verdict(logits, images.flatten(1)), step.real, step)
        trick.verdict(Verdict(-logits, images.flatten(1)), step.fake, step)  # must not count
        trick.after_step("discriminator", None, number)
        trick.after_step("generator", None, number)
    return trick.overfitting.p.item()


SURE, UNSURE = torch.ones(10), torch.tensor([1.0] * 7 + [-1.0] * 3)  # r_t = 1 and 0.4, around the target 0.6


def test_p_rises_from_0_to_1_in_the_images_told_while_the_discriminator_overfits():
    trick = component("trick", "ada", images=400)
    assert [played(trick, SURE, 4) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert played(trick, SURE, 28) == pytest.approx(1.0)


def test_p_falls_otherwise_but_not_below_0():
    trick = component("trick", "ada", images=400, start=0.15)
    assert [played(trick, UNSURE, 4) for _ in range(3)] == pytest.approx([0.05, 0.0, 0.0])


def test_p_changes_every_fourth_discriminator_step_by_the_mean_over_them():
    trick = component("trick", "ada", images=400, start=0.5)
    assert played(trick, SURE, 3) == 0.5
    assert played(trick, -SURE, 1) == pytest.approx(0.4)  # r_t = (1 + 1 + 1 - 1) / 4 = 0.5
    assert played(trick, UNSURE, 1) == pytest.approx(0.4)


def test_p_stays_where_it_is_told_to():
    assert played(component("trick", "ada", images=0, start=0.3), SURE, 8) == pytest.approx(0.3)


def test_p_and_what_was_seen_since_are_in_the_state():
    trick, copied_one = (component("trick", "ada", images=400) for _ in range(2))
    played(trick, SURE, 6)
    copied_one.load_state_dict(copy.deepcopy(trick.state_dict()))
    assert played(copied_one, UNSURE, 2) == played(trick, UNSURE, 2) == pytest.approx(0.2)  # r_t = 0.7


def test_p_follows_a_discriminator_in_training():
    one = trainer(trick="ada:images=160", recipe=SHORT)
    head = one.game.networks.head
    for weight in head.parameters():
        weight.requires_grad_(False)
    head.register_forward_hook(lambda *_: torch.ones(8, requires_grad=True))
    for _ in range(4):  # eight discriminator steps of eight images: p changes twice, by 32 / 160
        one.step()
    assert one.game.tricks[0][1].overfitting.p.item() == pytest.approx(0.4)


class Constant(torch.nn.Module):
    """Gives every image the same logit."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 0 * images.flatten(1).sum(1) + self.logit


def takes_zero_for_the_border(loss: str) -> bool:
    """Whether a discriminator that cannot tell real from fake does best near 0, and as badly on either side of it."""
    images = noise(4, 1, 2, 2)
    costs = {}
    for logit in (-3.0, 0.0, 3.0):
        terms = component("loss", loss).discriminator(step_on(Constant(logit), images, images.clone()))
        costs[logit] = sum(term.item() for term in terms.values())
    return costs[3] > costs[0] + 1e-3 and costs[-3] == pytest.approx(costs[3])


@pytest.mark.parametrize("loss", [one.name for one in installed().of("loss") if one.distribution == "ganzoo-core"])
def test_ada_reads_the_sign_of_logits_only_where_zero_is_the_border(loss):
    """Of a Wasserstein critic all logits may move by a constant, and so may its r_t; least squares aims at 0 and 1."""
    if takes_zero_for_the_border(loss):
        assert ganzoo.plan(model="mlp", loss=loss, trick="ada").runs
    else:
        with pytest.raises(IncompatibleError, match="sign of a real logit"):
            ganzoo.plan(model="mlp", loss=loss, trick="ada")


@pytest.mark.parametrize("loss", ["rpgan", "wgan-gp"])
def test_a_fixed_p_goes_with_every_loss(loss):
    assert ganzoo.plan(model="mlp", loss=loss, trick="ada:images=0,start=0.2").runs


# Consistency --------------------------------------------------------------------------------------------------------


def test_consistency_is_the_squared_distance_of_an_image_and_its_copy():
    real, fake, critic = noise(6, 1, 6, 6), -noise(6, 1, 6, 6), torch.nn.Sequential(torch.nn.Flatten(0), Ramp())
    terms = component("trick", "consistency", real=10, fake=5, shift=2).discriminator(step_on(critic, real, fake))
    draws = rng()
    for name, weight, images in (("real", 10, real), ("fake", 5, fake)):
        transformed_one = shift(flip(images, draws), 2, 2, draws, reflect=True)
        distance = (critic(images) - critic(transformed_one)).square().mean()
        assert distance > 0.01 and terms[name].item() == pytest.approx(weight * distance.item(), rel=1e-5)


class Ramp(torch.nn.Module):
    """Judges six images of 36 pixels by one weight for each pixel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.view(6, 36) @ torch.linspace(-1, 1, 36)


def test_a_critic_that_cannot_tell_a_copy_costs_nothing():
    real, fake = noise(6, 1, 6, 6), -noise(6, 1, 6, 6)
    terms = component("trick", "consistency", shift=0).discriminator(step_on(Linear(1, 36), real, fake))
    assert terms["real"].item() == pytest.approx(0, abs=1e-9) == terms["fake"].item()  # a sum of pixels knows no flip


def test_cr_gan_regularises_real_images_alone():
    step = step_on(Linear(1, 36), noise(6, 1, 6, 6), noise(6, 1, 6, 6))
    assert set(component("trick", "consistency", fake=0).discriminator(step)) == {"real"}


def test_consistency_trains_the_critic_and_holds_for_packed_images():
    weight = torch.ones(2 * 36, requires_grad=True)

    def judge(images, step):
        packed = images.reshape(3, 2 * 36)
        return Verdict(packed @ weight.cumsum(0), packed)

    images = noise(6, 1, 6, 6)
    step = PlayerStep("discriminator", 0, Batch(images, -images, images.flatten(1), None), rng(), judge, packing=2)
    sum(component("trick", "consistency").discriminator(step).values()).backward()
    assert weight.grad is not None and weight.grad.norm() > 0


def test_consistency_leaves_the_generator_alone():
    one = trainer(trick="consistency", recipe=SHORT)
    assert set(generator_terms(one.game, fresh_step(one))) == {"bce/fake"}


def test_all_of_them_go_together():
    run = ganzoo.plan(model="mlp", loss="bce", trick=",".join(ALL)).runs[0]
    assert len(run.tricks) == len(ALL)
    one = trainer(trick=",".join(ALL), recipe=SHORT)
    one.step()
    assert all(weight.isfinite().all() for weight in one.modules["generator"].parameters())
