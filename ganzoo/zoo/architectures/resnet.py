"""The ResNet of SNGAN (Miyato et al. 2018) and WGAN-GP (Gulrajani et al. 2017), for images of side 32, 48, 64 or 128.

Widths are those of tables 4 to 6 of SNGAN's paper and, for 64x64, of the release of Miyato & Koyama 2018, whose blocks
these are: pre-activation, the side changed by nearest-neighbour repetition and by averages, a 1x1 convolution on the
shortcut, and batch norm by class in a conditional generator. A 3x3 convolution behind a repetition or before averages
is one of 4x4 with it, which comes to the same sums with fewer products. WGAN-GP's own network for CIFAR-10 is
`resnet:width=32,pool=mean` (the one for 64x64 of its release differs: it ends in a dense layer, not in a pool).

Compared with github.com/kwotsin/mimicry at commit a7fda06, at 32x32, in float64 and with the same weights: SNGAN's and
cGAN-PD's networks and WGAN-GP's discriminator have as many parameters and give the same outputs up to rounding, once
mimicry's generators repeat pixels instead of interpolating and its ReLUs leave the shortcut's input as it was, both as
in the releases.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import (
    ConditionalBatchNorm,
    DoublingConv2d,
    HalvingConv2d,
    Head,
    glorot,
    norm_2d,
)
from ganzoo.zoo.specs.architectures.residual import ResNetParams


class Plan(NamedTuple):
    """The networks for one side of images; channels in units of the width, which is 64 in all releases."""

    start: int
    """Side of the image that the generator's dense layer makes."""
    up: tuple[int, ...]
    """Channels before the generator's first block, then behind each."""
    down: tuple[int, ...]
    """Channels behind each of the discriminator's blocks."""
    halvings: int
    """How many of those blocks, from the first, halve the side."""


PLANS = {
    32: Plan(4, (4, 4, 4, 4), (2, 2, 2, 2), halvings=2),
    48: Plan(6, (8, 4, 2, 1), (1, 2, 4, 8, 16), halvings=4),
    64: Plan(4, (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), halvings=5),
    128: Plan(4, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), halvings=5),
}

GAIN = math.sqrt(2)
"""Of the weights in the blocks' residuals; all others have gain 1 (both releases)."""


def build(params: ResNetParams, setting: Setting) -> Networks:
    """Build both networks with Glorot weights and zero biases."""
    plan = PLANS[setting.shape[1]]
    generator = Generator(params.latent, plan, params.width, setting, GAIN)
    body = Body(plan, params.critic_width, setting, GAIN, norm=params.critic_norm, pool=params.pool)
    return Networks(generator, body, glorot_head(body.features), latent=params.latent, features=body.features)


def glorot_head(features: int) -> Head:
    """Return a head with Glorot weights and a zero bias."""
    head = Head(features)
    glorot(head.linear)
    return head


class Generator(nn.Module):
    """A dense layer, a block for each doubling of the side, then BN, ReLU, a 3x3 convolution and tanh."""

    def __init__(self, latent: int, plan: Plan, width: int, setting: Setting, gain: float) -> None:
        super().__init__()
        widths = [width * units for units in plan.up]
        self.start = (widths[0], plan.start, plan.start)
        self.dense = glorot(nn.Linear(latent, math.prod(self.start)))
        self.blocks = nn.ModuleList(Up(before, after, setting.classes, gain) for before, after in pairwise(widths))
        self.output = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),  # without classes even where the blocks have them
            nn.ReLU(),
            glorot(nn.Conv2d(widths[-1], setting.shape[0], 3, 1, 1)),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        h = self.dense(z).unflatten(1, self.start)  # (N, c*h*w) -> (N, c, h, w)
        for block in self.blocks:
            h = block(h, y)
        return self.output(h)


class Up(nn.Module):
    """A residual block that doubles the side: BN, ReLU, doubling and conv, BN, ReLU, conv."""

    def __init__(self, before: int, after: int, classes: int, gain: float) -> None:
        super().__init__()
        self.norm1 = ConditionalBatchNorm(before, classes)
        self.conv1 = glorot(DoublingConv2d(before, after, 3, 1, 1), gain)
        self.norm2 = ConditionalBatchNorm(after, classes)
        self.conv2 = glorot(nn.Conv2d(after, after, 3, 1, 1), gain)
        self.shortcut = glorot(nn.Conv2d(before, after, 1))

    def forward(self, h: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, before, h, w) and (N,) classes to (N, after, 2h, 2w)."""
        residual = self.conv1(self.norm1(h, y).relu())
        residual = self.conv2(self.norm2(residual, y).relu())
        return residual + _double(self.shortcut(h))  # the same as to double first, for a quarter of the work


def _double(h: Tensor) -> Tensor:
    """Repeat pixels: (N, C, h, w) -> (N, C, 2h, 2w)."""
    if torch.compiler.is_compiling():  # what an interpolation is compiled to would scatter its gradient
        return h[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).flatten(4).flatten(2, 3)
    with torch.autocast(h.device.type, enabled=False):  # it would be float32 otherwise, and all that follows
        return F.interpolate(h, scale_factor=2, mode="nearest")


class Body(nn.Module):
    """Residual blocks, ReLU, and a sum or mean over the image that is left."""

    def __init__(
        self,
        plan: Plan,
        width: int,
        setting: Setting,
        gain: float,
        *,
        norm: str = "none",
        pool: str = "sum",
        wide: bool = False,
    ) -> None:
        """Make the blocks; `wide` ones have as many channels within as behind them, others as before them."""
        super().__init__()
        first, *rest = (width * units for units in plan.down)
        self.blocks = nn.Sequential(_first_block(setting.shape[0] * setting.packing, first, gain))
        for number, (before, after) in enumerate(pairwise((first, *rest)), start=1):
            inside, halves = after if wide else before, number < plan.halvings
            self.blocks.append(_block(before, inside, after, norm, halves, gain))
        self.mean = pool == "mean"
        self.features = rest[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, features)."""
        h = self.blocks(images).relu()
        return h.mean((2, 3)) if self.mean else h.sum((2, 3))  # (N, c, h, w) -> (N, c)


class Residual(nn.Module):
    """h + f(h), with a shortcut where f changes the shape."""

    def __init__(self, residual: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual, self.shortcut = residual, shortcut

    def forward(self, h: Tensor) -> Tensor:
        """Map (N, before, h, w) to (N, after, h, w) or half the side."""
        return self.residual(h) + self.shortcut(h)


def _first_block(before: int, after: int, gain: float) -> Residual:
    """Return a block that halves the side and does not begin with an activation, as it sees the image; no norms."""
    halving = glorot(HalvingConv2d(after, after, 3, 1, 1), gain)
    return Residual(nn.Sequential(_conv(before, after, gain), nn.ReLU(), halving), _halving_shortcut(before, after))


def _block(before: int, inside: int, after: int, norm: str, halves: bool, gain: float) -> Residual:
    """Return a block: norm, ReLU, conv, norm, ReLU, conv, and an average where it halves the side."""
    last = HalvingConv2d if halves else nn.Conv2d
    residual = nn.Sequential(
        norm_2d(norm, before),
        nn.ReLU(),
        _conv(before, inside, gain),
        norm_2d(norm, inside),
        nn.ReLU(),
        glorot(last(inside, after, 3, 1, 1), gain),
    )
    if halves:
        return Residual(residual, _halving_shortcut(before, after))
    return Residual(residual, nn.Identity() if before == after else glorot(nn.Conv2d(before, after, 1)))


def _halving_shortcut(before: int, after: int) -> nn.Module:
    """Average, then convolve; releases do so in the first block alone, but the order matters to speed only."""
    return nn.Sequential(nn.AvgPool2d(2), glorot(nn.Conv2d(before, after, 1)))


def _conv(before: int, after: int, gain: float) -> nn.Conv2d:
    return glorot(nn.Conv2d(before, after, 3, 1, 1), gain)
