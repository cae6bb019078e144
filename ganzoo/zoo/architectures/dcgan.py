"""DCGAN (Radford, Metz & Chintala 2016), for square images of side 8 to 128.

Section 3's guidelines: strided convolutions instead of pooling, no hidden dense layers, batch norm in both networks but
not at the generator's output and the discriminator's input, ReLU in the generator, LeakyReLU in the discriminator.
The paper's 64x64 network has four halvings down to 4x4. Other sizes are halved while the side stays at least 4, and at
least twice: 8 -> 4 -> 2, 28 -> 14 -> 7, 32 -> 16 -> 8 -> 4.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import Head, norm_2d
from ganzoo.zoo.specs.architectures import DCGANParams


def build(params: DCGANParams, setting: Setting) -> Networks:
    """Build both networks with weights drawn from N(0, 0.02), as the paper does."""
    generator, body = Generator(params, setting), Body(params, setting)
    head = Head(body.features, setting.classes)
    for network in (generator, body, head):
        network.apply(_initialise)
    return Networks(generator, body, head, latent=params.latent, features=body.features)


def halvings(side: int) -> int:
    """Return how often an image is halved: while the side stays at least 4, and at least twice."""
    count = 2
    while side % 2 ** (count + 1) == 0 and side // 2 ** (count + 1) >= 4:
        count += 1
    return count


class Generator(nn.Module):
    """Projects z to a small image of many channels, and doubles its side with each transposed convolution."""

    def __init__(self, params: DCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        count = halvings(side)
        widths = [params.width * 2**i for i in reversed(range(count))]
        self.start = (widths[0], side // 2**count, side // 2**count)
        self.classes = nn.Embedding(setting.classes, params.latent) if setting.classes else None
        inputs = params.latent * (2 if setting.classes else 1)
        self.project = nn.Linear(inputs, self.start[0] * self.start[1] * self.start[2])
        layers: list[nn.Module] = [norm_2d(params.norm, widths[0]), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), norm_2d(params.norm, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        if self.classes is not None and y is not None:
            z = torch.cat([z, self.classes(y)], 1)
        return self.layers(self.project(z).unflatten(1, self.start))  # (N, c*h*w) -> (N, c, h, w) -> (N, C, H, W)


class Body(nn.Module):
    """Halves the side with each strided convolution; its features are the last activations."""

    def __init__(self, params: DCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        count = halvings(side)
        widths = [params.width * 2**i for i in range(count)]
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(params.slope)]
        for before, after in pairwise(widths):
            norm = norm_2d(params.critic_norm, after)
            bias = params.critic_norm == "none"
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=bias), norm, nn.LeakyReLU(params.slope)]
        self.layers = nn.Sequential(*layers)
        self.features = widths[-1] * (side // 2**count) ** 2

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to features (N, features)."""
        return self.layers(images).flatten(1)  # (N, c, h, w) -> (N, c*h*w)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)  # the authors' release; the paper speaks of all weights
