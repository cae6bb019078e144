"""The networks of R3GAN (Huang et al. 2024, section 3, config E), for square images of side 8 to 256.

Both are stages of residual blocks, one stage for each resolution from 4x4 up, the one the mirror of the other. A block
is a 1x1 convolution to more channels, a grouped 3x3 convolution and a 1x1 convolution back, with leaky ReLU between.
There is no norm anywhere: the blocks start as identities, scaled as Fix-up does (Zhang et al. 2019), and every other
layer keeps the variance of what it is given. Compared with github.com/brownvc/R3GAN: the same functions and numbers of
parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.api import Networks, Setting
from ganzoo_r3gan.spec import R3GANParams, Stage

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)
SLOPE = 0.2
"""Negative slope of every leaky ReLU."""


def build(params: R3GANParams, setting: Setting) -> Networks:
    """Build both networks; the head is linear, and a class reaches the discriminator through a trick."""
    stages = params.stages(setting.shape[-1])
    body = Body(params, stages, setting.shape[0] * setting.packing)
    head = Head(stages[0].width)
    return Networks(Generator(params, stages, setting), body, head, latent=params.latent, features=stages[0].width)


class Generator(nn.Module):
    """A learned 4x4 basis weighted by z and class, then blocks, each stage at twice the resolution of the one before.

    As in the paper no tanh bounds the images: they learn to lie in [-1, 1], and a score clips what does not.
    """

    def __init__(self, params: R3GANParams, stages: Sequence[Stage], setting: Setting) -> None:
        super().__init__()
        self.classes = class_embedding(setting.classes, params.latent) if setting.classes else None
        self.weigh = scaled(nn.Linear(params.latent * (2 if setting.classes else 1), stages[0].width, bias=False))
        self.basis = nn.Parameter(torch.randn(stages[0].width, 4, 4))
        layers = blocks(params, stages, stages[0])
        for before, after in pairwise(stages):
            layers += [*change_width(before, after), Upsample(), *blocks(params, stages, after)]
        self.layers = nn.Sequential(*layers)
        self.image = scaled(nn.Conv2d(stages[-1].width, setting.shape[0], 1, bias=False))

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W)."""
        if self.classes is not None and y is not None:
            z = torch.cat([z, self.classes(y)], 1)
        start = self.basis * self.weigh(z)[:, :, None, None]  # (c, 4, 4) and (N, c, 1, 1) -> (N, c, 4, 4)
        return self.image(self.layers(start))


class Body(nn.Module):
    """Blocks, each stage at half the resolution of the one before, then one number for each channel at 4x4."""

    def __init__(self, params: R3GANParams, stages: Sequence[Stage], channels: int) -> None:
        super().__init__()
        *_, least = down = stages[::-1]
        layers: list[nn.Module] = [scaled(nn.Conv2d(channels, down[0].width, 1, bias=False))]
        for before, after in pairwise(down):
            layers += [*blocks(params, stages, before), Downsample(), *change_width(before, after)]
        basis = scaled(nn.Conv2d(least.width, least.width, 4, groups=least.width, bias=False))
        self.layers = nn.Sequential(*layers, *blocks(params, stages, least), basis)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, c)."""
        return self.layers(images).flatten(1)  # (N, c, 1, 1) -> (N, c)


class Head(nn.Module):
    """Features to logits: one linear layer without bias."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = scaled(nn.Linear(features, 1, bias=False))

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, features) to (N,) logits."""
        return self.linear(features).squeeze(1)  # (N, 1) -> (N,)


class Block(nn.Module):
    """x + a bottleneck turned inside out, which is 0 at first."""

    def __init__(self, width: int, groups: int, expansion: int, gain: float) -> None:
        super().__init__()
        inside = width * expansion
        self.widen = scaled(nn.Conv2d(width, inside, 1), gain)
        self.mix = scaled(nn.Conv2d(inside, inside, 3, padding=1, groups=groups), gain)
        self.narrow = scaled(nn.Conv2d(inside, width, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        inside = F.leaky_relu(self.widen(x), SLOPE)
        inside = F.leaky_relu(self.mix(inside), SLOPE)
        return x + self.narrow(inside)


def blocks(params: R3GANParams, stages: Sequence[Stage], stage: Stage) -> list[nn.Module]:
    """Return the blocks of one stage, scaled for a network of all these stages."""
    L, m = params.blocks * len(stages), 3  # blocks of the network, layers of a block  # noqa: N806
    gain = math.sqrt(2 / (1 + SLOPE**2)) * L ** (-1 / (2 * m - 2))  # what leaky ReLU takes, times Fix-up's factor
    return [Block(stage.width, stage.groups, params.expansion, gain) for _ in range(params.blocks)]


def change_width(before: Stage, after: Stage) -> list[nn.Module]:
    """Return a 1x1 convolution from one stage's channels to another's, where they differ."""
    if before.width == after.width:
        return []
    return [scaled(nn.Conv2d(before.width, after.width, 1, bias=False))]


class Resampling(nn.Module):
    """The filter [1, 2, 1] on top of a box of two pixels, in both directions: [1, 3, 3, 1]."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", line.outer(line)[None, None], persistent=False)  # (1, 1, 4, 4)


class Upsample(Resampling):
    """Twice the resolution; beyond the border lie zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c, H, W) to (N, c, 2H, 2W)."""
        kernel = 4 * self.kernel.expand(x.shape[1], -1, -1, -1)  # a pixel becomes four
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Downsample(Resampling):
    """Half the resolution; beyond the border lie zeros."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, c, H, W) to (N, c, H/2, W/2)."""
        kernel = self.kernel.expand(x.shape[1], -1, -1, -1)
        return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw a layer's weights from N(0, gain^2 / fan-in), and make its biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def class_embedding(classes: int, length: int, gain: float = 1.0) -> nn.Embedding:
    """Return vectors (classes, length) from N(0, gain^2 / classes), as of a linear layer on one-hot classes."""
    embedding = nn.Embedding(classes, length)
    nn.init.normal_(embedding.weight, 0.0, gain / math.sqrt(classes))
    return embedding
