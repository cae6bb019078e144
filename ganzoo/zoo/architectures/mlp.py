"""A fully connected GAN (Goodfellow et al. 2014), in the form that tutorials teach.

The paper's networks were fully connected, with ReLU in the generator and maxout in the discriminator; LeakyReLU has
taken maxout's place since.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import Head, norm_1d
from ganzoo.zoo.specs.architectures import MLPParams


def build(params: MLPParams, setting: Setting) -> Networks:
    """Build both networks with PyTorch's default weights."""
    features = params.discriminator[-1]
    return Networks(
        Generator(params, setting),
        Body(params, setting),
        Head(features),
        latent=params.latent,
        features=features,
    )


class Generator(nn.Module):
    """Hidden layers with norm and LeakyReLU, then one value a pixel through tanh."""

    def __init__(self, params: MLPParams, setting: Setting) -> None:
        super().__init__()
        self.shape = setting.shape
        self.classes = nn.Embedding(setting.classes, params.latent) if setting.classes else None
        widths = (params.latent * (2 if setting.classes else 1), *params.generator)
        self.hidden = nn.Sequential(*_hidden(widths, params.norm, params.slope))
        self.output = nn.Linear(widths[-1], math.prod(setting.shape))

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        if self.classes is not None and y is not None:
            z = torch.cat([z, self.classes(y)], 1)
        return self.output(self.hidden(z)).tanh().unflatten(1, self.shape)  # (N, C*H*W) -> (N, C, H, W)


class Body(nn.Module):
    """Hidden layers; no norm follows the first, which sees the image."""

    def __init__(self, params: MLPParams, setting: Setting) -> None:
        super().__init__()
        first, *rest = params.discriminator
        layers = _hidden((math.prod(setting.shape) * setting.packing, first), "none", params.slope)
        self.hidden = nn.Sequential(*layers, *_hidden((first, *rest), params.critic_norm, params.slope))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, features)."""
        return self.hidden(images.flatten(1))  # (N, C * packing, H, W) -> (N, C * packing * H * W)


def _hidden(widths: tuple[int, ...], norm: str, slope: float) -> list[nn.Module]:
    return [
        layer
        for before, after in pairwise(widths)
        for layer in (nn.Linear(before, after), norm_1d(norm, after), nn.LeakyReLU(slope))
    ]
