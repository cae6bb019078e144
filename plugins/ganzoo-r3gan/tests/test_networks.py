"""The networks are those of the paper: their shapes, sizes, start and slopes."""

from __future__ import annotations

import pytest
import torch
from ganzoo_r3gan.networks import Block, Downsample, Upsample, build
from ganzoo_r3gan.spec import R3GAN, R3GANParams, Stage
from torch import Tensor, nn

from ganzoo.api import Networks, Setting

SMALL = R3GANParams(latent=8, widths=(16, 16, 16, 16), cardinality=4)


def made(setting: Setting, params: R3GANParams = SMALL, seed: int = 0) -> Networks:
    """Return fresh networks, whose blocks do nothing yet."""
    torch.manual_seed(seed)
    return build(params, setting)


def busy(networks: Networks) -> Networks:
    """Return the networks after some training, so to speak: with blocks that do something."""
    for part in (networks.generator, networks.body):
        for block in part.modules():
            if isinstance(block, Block):
                nn.init.normal_(block.narrow.weight, 0.0, 0.1)
    return networks


def weights(*parts: nn.Module) -> list[Tensor]:
    return [weight for part in parts for weight in part.parameters()]


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize("side", [8, 32, 64, 128])
def test_shapes_are_those_of_the_setting(side: int, classes: int) -> None:
    networks = made(Setting((3, side, side), classes))
    y = torch.tensor([0, 9]) if classes else None
    images = networks.generator(torch.randn(2, networks.latent), y)
    features = networks.body(images)
    assert images.shape == (2, 3, side, side)
    assert features.shape == (2, networks.features)
    assert networks.head(features, y).shape == (2,)


def test_packed_images_share_one_answer() -> None:
    networks = made(Setting((1, 16, 16), packing=3))
    assert networks.body(torch.randn(2, 3, 16, 16)).shape == (2, networks.features)


def test_default_stages_are_those_of_the_authors_presets() -> None:
    """CIFAR10, FFHQ-64 and FFHQ-256 in train.py of github.com/brownvc/R3GAN, commit 19a7ddf."""
    assert R3GANParams().stages(32) == [Stage(768, 96)] * 4
    assert R3GANParams().stages(64) == [*[Stage(768, 96)] * 4, Stage(384, 48)]
    assert R3GANParams().stages(256) == [*[Stage(768, 96)] * 4, Stage(384, 48), Stage(192, 24), Stage(96, 12)]


@pytest.mark.parametrize(
    ("side", "classes", "generator", "discriminator"),
    [(32, 0, 20_732_160, 20_683_776), (256, 0, 23_057_952, 23_009_568), (32, 10, 20_781_952, None)],
)
def test_default_networks_are_as_large_as_the_authors(
    side: int, classes: int, generator: int, discriminator: int | None
) -> None:
    """Counted once on R3GAN/Networks.py, commit 19a7ddf; with weights copied over, its outputs were the same too.

    Of the conditional networks the trick `r3gan-projection` has the rest.
    """
    with torch.device("meta"):
        networks = made(Setting((3, side, side), classes), R3GANParams())
    assert sum(weight.numel() for weight in weights(networks.generator)) == generator
    if discriminator:
        assert sum(weight.numel() for weight in weights(networks.body, networks.head)) == discriminator


def test_blocks_start_as_identities() -> None:
    x = torch.randn(2, 16, 8, 8)
    for block in made(Setting((3, 32, 32))).generator.modules():
        if isinstance(block, Block):
            assert torch.equal(block(x), x)


def test_the_layers_in_a_block_start_as_fix_up_scales_them() -> None:
    """He et al.'s deviation for leaky ReLU of slope 0.2, times L^(-1/(2m - 2)) for L = 8 blocks of m = 3 layers."""
    params = R3GANParams(widths=(128, 128, 128, 128), cardinality=4)
    *_, block = (block for block in made(Setting((3, 32, 32)), params).body.modules() if isinstance(block, Block))
    for layer, fan_in in ((block.widen, 128), (block.mix, 64 * 9)):
        expected = (2 / (1.04 * fan_in)) ** 0.5 * 8**-0.25
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert layer.bias is not None and not layer.bias.any()


def test_the_layers_outside_of_blocks_start_by_keeping_variance() -> None:
    networks = made(Setting((3, 8, 8)), R3GANParams(latent=64, widths=(256, 128), cardinality=4))
    outside = [layer for part in (networks.generator, networks.body, networks.head) for layer in part.modules()
               if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is None and layer.weight.any()]  # fmt: skip
    assert len(outside) == 7  # weigh, narrower, to image; from image, wider, 4x4 to one, to logit
    for layer in outside:
        assert layer.weight.square().mean().item() * layer.weight[0].numel() == pytest.approx(1, rel=0.3)


def test_downsampling_blurs_with_1_2_1_and_averages_pairs() -> None:
    x = torch.randn(2, 5, 8, 8)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = line.outer(line).expand(5, 1, 3, 3)
    blurred = nn.functional.conv2d(x, kernel, padding=1, groups=5)
    torch.testing.assert_close(Downsample()(x), nn.functional.avg_pool2d(blurred, 2))


def test_upsampling_is_the_transpose_of_downsampling() -> None:
    x, y = torch.randn(2, 5, 4, 4), torch.randn(2, 5, 8, 8)
    assert (Upsample()(x) * y).sum().item() == pytest.approx(4 * (x * Downsample()(y)).sum().item(), rel=1e-4)


def test_resampling_keeps_what_is_constant_away_from_the_border() -> None:
    flat = torch.ones(1, 2, 8, 8)
    assert torch.equal(Upsample()(flat)[:, :, 1:-1, 1:-1], torch.ones(1, 2, 14, 14))
    assert torch.equal(Downsample()(flat)[:, :, 1:-1, 1:-1], torch.ones(1, 2, 2, 2))


@pytest.mark.parametrize("classes", [0, 10])
def test_gradients_reach_every_weight(classes: int) -> None:
    networks = busy(made(Setting((3, 64, 64), classes)))
    y = torch.arange(10) if classes else None
    images = networks.generator(torch.randn(10, networks.latent), y)
    networks.head(networks.body(images), y).square().sum().backward()
    for weight in weights(networks.generator, networks.body, networks.head):
        assert weight.grad is not None and weight.grad.any()


def test_the_discriminators_slopes_can_be_differentiated_again() -> None:
    """Second derivatives against finite differences, as R1 and R2 need them."""
    params = R3GANParams(latent=2, widths=(4, 2), cardinality=2, blocks=1)
    body = busy(made(Setting((1, 8, 8)), params)).body.double()
    torch.autograd.gradgradcheck(body, torch.randn(2, 1, 8, 8, dtype=torch.float64, requires_grad=True))


def test_an_image_is_judged_by_itself() -> None:
    body = busy(made(Setting((3, 32, 32)))).body
    images = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(body(images)[2:3], body(images[2:3]))


def test_a_seed_means_the_same_networks() -> None:
    z = torch.randn(2, SMALL.latent)
    images = [made(Setting((3, 32, 32)), seed=seed).generator(z, None) for seed in (0, 0, 1)]
    assert torch.equal(images[0], images[1]) and not torch.equal(images[0], images[2])


def test_the_generator_listens_to_the_class() -> None:
    generator = made(Setting((3, 16, 16), 10)).generator
    z = torch.randn(1, SMALL.latent)
    assert not torch.equal(generator(z, torch.tensor([1])), generator(z, torch.tensor([2])))


@pytest.mark.parametrize(
    ("params", "shape", "reason"),
    [
        (SMALL, (1, 28, 28), "side 8, 16, 32, 64, 128, 256, not 28x28"),
        (SMALL, (3, 64, 32), "not 64x32"),
        (R3GANParams(widths=(16,), cardinality=5), (3, 32, 32), "32 channels inside a block do not divide into 5"),
        (R3GANParams(widths=(16,), cardinality=1), (3, 32, 32), "16 channels inside a block do not divide into 0"),
        (R3GANParams(widths=()), (3, 32, 32), "give those at 4x4 first"),
    ],
)
def test_what_cannot_be_built_is_refused(params: R3GANParams, shape: tuple[int, int, int], reason: str) -> None:
    assert R3GAN.refuse
    assert reason in (R3GAN.refuse(params, Setting(shape)) or "")


@pytest.mark.parametrize("side", [8, 16, 32, 64, 128, 256])
def test_the_defaults_fit_every_side(side: int) -> None:
    assert R3GAN.refuse
    assert R3GAN.refuse(R3GANParams(), Setting((3, side, side))) is None
