"""A compositional pattern-producing network as generator (Ha 2016), against a plain convolutional discriminator."""

import math

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo_example.spec import CPPNParams


def build(params: CPPNParams, setting: Setting) -> Networks:
    """Build both networks for what the plan decided: image shape, classes and packing."""
    features = 2 * params.width
    body = nn.Sequential(
        nn.Conv2d(setting.shape[0] * setting.packing, params.width, 3, stride=2, padding=1),  # (N, C*p, H, W) -> H/2
        nn.LeakyReLU(0.2),
        nn.Conv2d(params.width, features, 3, stride=2, padding=1),  # -> (N, 2*width, H/4, W/4)
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),  # -> (N, 2*width)
    )
    return Networks(Painter(params, setting), body, Head(features), latent=params.latent, features=features)


class Painter(nn.Module):
    """Draws each pixel from where it is and from the latent vector, by one small network for all pixels."""

    places: Tensor

    def __init__(self, params: CPPNParams, setting: Setting) -> None:
        super().__init__()
        self.shape = setting.shape
        self.classes = nn.Embedding(setting.classes, params.latent) if setting.classes else None
        self.register_buffer("places", places(setting.shape[1], setting.shape[2], params.frequencies))
        self.from_latent = nn.Linear(params.latent, params.width)
        self.from_place = nn.Linear(self.places.shape[1], params.width, bias=False)
        self.layers = nn.Sequential(
            nn.Tanh(),
            nn.Linear(params.width, params.width),
            nn.Tanh(),
            nn.Linear(params.width, params.width),
            nn.Tanh(),
            nn.Linear(params.width, setting.shape[0]),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and classes (N,) or None to images (N, C, H, W) in [-1, 1]."""
        if self.classes is not None:
            z = z + self.classes(y)
        hidden = self.from_latent(z)[:, None] + self.from_place(self.places)  # (N, 1, width) + (H*W, width)
        return self.layers(hidden).mT.unflatten(2, self.shape[1:])  # (N, H*W, C) -> (N, C, H*W) -> (N, C, H, W)


def places(height: int, width: int, frequencies: int) -> Tensor:
    """Return (H*W, 3 + 4 * frequencies): row, column and distance from the centre, and waves of both axes."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    waves = [wave(math.pi * 2**octave * axis) for octave in range(frequencies) for axis in (x, y) for wave in WAVES]
    return torch.stack([x, y, (x**2 + y**2).sqrt(), *waves], 2).flatten(0, 1)


WAVES = (torch.sin, torch.cos)


class Head(nn.Module):
    """One logit; what classes the images have, a trick tells the discriminator."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map features (N, features) to logits (N,)."""
        return self.linear(features).squeeze(1)
