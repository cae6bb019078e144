"""A fully connected GAN (Goodfellow et al. 2014), in the form that tutorials teach.

The paper's networks were fully connected, with ReLU in the generator and maxout in the discriminator; LeakyReLU has
taken maxout's place since. What tutorials on MNIST build is a matter of parameters:

    mlp:generator=128x256,discriminator=256x128,norm=none          100-128-256-784 against 784-256-128-1
    mlp:generator=256,discriminator=256,norm=none,activation=relu,slope=0,output=sigmoid      ReLU in both networks
    mlp:discriminator=512x256,norm_place=after,momentum=0.8        Keras-GAN: the norm behind the activation
    mlp:generator=128,discriminator=128,norm=none,slope=0.01       with the tricks uniform-latent, label-smoothing

They train a sigmoid's generator on pixels in [0, 1]; here its output is mapped to [-1, 1], where the pixels are.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import Head, class_vectors, norm_1d, with_class
from ganzoo.zoo.specs.architectures.dense import MLPParams


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
    """Hidden layers with norm and activation, then one value per pixel."""

    def __init__(self, params: MLPParams, setting: Setting) -> None:
        super().__init__()
        self.shape = setting.shape
        self.classes = class_vectors(setting.classes, params.latent)
        widths = (params.latent * (2 if setting.classes else 1), *params.generator)
        norms = [norm_1d(params.norm, width, 1 - params.momentum) for width in params.generator]
        slope = 0.0 if params.activation == "relu" else params.slope
        self.hidden = nn.Sequential(*_hidden(widths, norms, slope, norm_last=params.norm_place == "after"))
        self.output = nn.Linear(widths[-1], math.prod(setting.shape))
        self.sigmoid = params.output == "sigmoid"

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        pixels = self.output(self.hidden(with_class(z, y, self.classes)))
        pixels = 2 * pixels.sigmoid() - 1 if self.sigmoid else pixels.tanh()
        return pixels.unflatten(1, self.shape)  # (N, C*H*W) -> (N, C, H, W)


class Body(nn.Module):
    """Hidden layers; no norm follows the first, which sees the image."""

    def __init__(self, params: MLPParams, setting: Setting) -> None:
        super().__init__()
        widths = (math.prod(setting.shape) * setting.packing, *params.discriminator)
        norms = [nn.Identity(), *(norm_1d(params.critic_norm, width) for width in params.discriminator[1:])]
        self.hidden = nn.Sequential(*_hidden(widths, norms, params.slope))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, features)."""
        return self.hidden(images.flatten(1))  # (N, C * packing, H, W) -> (N, C * packing * H * W)


def _hidden(widths: tuple[int, ...], norms: list[nn.Module], slope: float, norm_last: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for (before, after), norm in zip(pairwise(widths), norms, strict=True):
        activation = nn.LeakyReLU(slope)
        layers += [nn.Linear(before, after), *((activation, norm) if norm_last else (norm, activation))]
    return layers
