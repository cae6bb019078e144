"""SNDCGAN: the standard CNN of spectral normalisation (Miyato et al. 2018, table 3).

The table's sides are M = 32 and 48, from M_g = M / 8; any multiple of 8 works as well. Spectral norm itself is the
trick `spectral-norm`. The networks that Preferred Networks released later (chainer-gan-lib), and compare_gan's, differ
from the table: the strided convolutions double the channels, and batch norm and ReLU follow the dense layer. They are
`variant=release`. Classes condition the generator's batch norms, as in compare_gan.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import ConditionalBatchNorm, Head
from ganzoo.zoo.specs.architectures.convolutional import SNDCGANParams

UP = (512, 256, 128, 64)
DOWN = {"table": (64, 64, 128, 128, 256, 256, 512), "release": (64, 128, 128, 256, 256, 512, 512)}


def build(params: SNDCGANParams, setting: Setting) -> Networks:
    """Build both networks with weights drawn from N(0, 0.02), as the later release does; the paper names no others."""
    generator, body = Generator(params, setting), Body(params, setting)
    head = Head(body.features)
    for network in (generator, body, head):
        network.apply(_initialise)
    return Networks(generator, body, head, latent=params.latent, features=body.features)


class Generator(nn.Module):
    """Projects z to an image of 512 channels and an eighth of the side, and doubles that three times."""

    def __init__(self, params: SNDCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        self.start = (UP[0], side // 8, side // 8)
        width = UP[0] * (side // 8) ** 2
        self.dense = nn.Linear(params.latent, width)
        self.first_norm = ConditionalBatchNorm(width, setting.classes) if params.variant == "release" else None
        self.deconvolutions = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, 2, 1) for before, after in pairwise(UP)
        )
        self.norms = nn.ModuleList(ConditionalBatchNorm(after, setting.classes) for after in UP[1:])
        self.output = nn.Conv2d(UP[-1], channels, 3, 1, 1)

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W) in [-1, 1]."""
        h = self.dense(z)[:, :, None, None]  # (N, width) -> (N, width, 1, 1)
        if self.first_norm is not None:
            h = self.first_norm(h, y).relu()
        h = h.flatten(1).unflatten(1, self.start)  # (N, width, 1, 1) -> (N, 512, side / 8, side / 8)
        for deconvolve, norm in zip(self.deconvolutions, self.norms, strict=True):
            h = norm(deconvolve(h), y).relu()
        return self.output(h).tanh()


class Body(nn.Module):
    """3x3 convolutions of stride 1 and 4x4 ones of stride 2 by turns, without norms; features are the last maps."""

    def __init__(self, params: SNDCGANParams, setting: Setting) -> None:
        super().__init__()
        channels, side, _ = setting.shape
        widths = (channels * setting.packing, *DOWN[params.variant])
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            kernel, stride = (4, 2) if number % 2 else (3, 1)
            layers += [nn.Conv2d(before, after, kernel, stride, 1), nn.LeakyReLU(params.slope)]
        self.layers = nn.Sequential(*layers)
        self.features = widths[-1] * (side // 8) ** 2

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, H, W) to features (N, features)."""
        return self.layers(images).flatten(1)  # (N, 512, side / 8, side / 8) -> (N, features)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
