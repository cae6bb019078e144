"""DCGAN (Radford, Metz & Chintala 2016), for square images of side 8 to 128.

Section 3's guidelines: strided convolutions instead of pooling, no hidden dense layers, batch norm in both networks but
not at the generator's output and the discriminator's input, ReLU in the generator, LeakyReLU in the discriminator.
The paper's 64x64 network has four halvings down to 4x4. Other sizes are halved, rounding down, until the side is at
most 4, and at least twice: 8 -> 4 -> 2, 28 -> 14 -> 7 -> 3, 32 -> 16 -> 8 -> 4. So the discriminator's last features
see the whole image at every size.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import Head, class_vectors, norm_2d, with_class
from ganzoo.zoo.specs.architectures.convolutional import DCGANParams


def build(params: DCGANParams, setting: Setting) -> Networks:
    """Build both networks with convolution and dense weights drawn from N(0, 0.02), as the paper does."""
    generator, body = Generator(params, setting), Body(params, setting)
    head = Head(body.features)
    for network in (generator, body, head):
        network.apply(_initialise)
    return Networks(generator, body, head, latent=params.latent, features=body.features)


def sides(side: int) -> list[int]:
    """Return the sides that an image is halved to, from its own down to at most 4, and at least two halvings down."""
    found = [side, side // 2, side // 4]
    while found[-1] > 4:
        found.append(found[-1] // 2)
    return found


class Generator(nn.Module):
    """Projects z to a small image of many channels, and doubles its side with each transposed convolution."""

    def __init__(self, params: DCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        *above, least = sides(side)
        widths = [params.width * 2**i for i in reversed(range(len(above)))]
        self.start = (widths[0], least, least)
        self.classes = class_vectors(setting.classes, params.latent)
        inputs = params.latent * (2 if setting.classes else 1)
        self.project = nn.Linear(inputs, self.start[0] * self.start[1] * self.start[2])
        layers: list[nn.Module] = [norm_2d(params.norm, widths[0]), nn.ReLU()]
        odd = [larger % 2 for larger in reversed(above)]  # 3 -> 7 takes one row and column more than 3 -> 6
        for (before, after), extra in zip(pairwise(widths), odd, strict=False):
            double = nn.ConvTranspose2d(before, after, 4, 2, 1, output_padding=extra, bias=params.norm == "none")
            layers += [double, norm_2d(params.norm, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        start = self.project(with_class(z, y, self.classes)).unflatten(1, self.start)  # (N, c*h*w) -> (N, c, h, w)
        return self.layers(start)


class Body(nn.Module):
    """Halves the side with each strided convolution; its features are the last activations."""

    def __init__(self, params: DCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        *above, least = sides(side)
        widths = [params.width * 2**i for i in range(len(above))]
        layers: list[nn.Module] = [
            nn.Conv2d(channels * setting.packing, widths[0], 4, 2, 1),
            nn.LeakyReLU(params.slope, inplace=True),
        ]
        for before, after in pairwise(widths):
            norm = norm_2d(params.critic_norm, after)
            bias = params.critic_norm == "none"
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=bias), norm, nn.LeakyReLU(params.slope, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.features = widths[-1] * least**2

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, features)."""
        return self.layers(images).flatten(1)  # (N, c, h, w) -> (N, c*h*w)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)  # the authors' release; the paper speaks of all weights
