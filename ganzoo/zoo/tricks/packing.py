"""Packing (Lin et al. 2018, PacGAN)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ganzoo.api import Networks, Setting, Trick
from ganzoo.zoo.specs.tricks.diversity import PackingParams


class Packing(Trick[PackingParams]):
    """Has the discriminator judge m images of one kind together: a generator that lacks variety gives itself away.

    As in the paper, only the discriminator's first layer grows: the architecture builds it for C * m channels. A batch
    of N images is N / m packs; the authors' batches are m times as large, so that the discriminator answers as often.
    """

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Pack images on their way into the body."""
        return replace(networks, body=Packed(networks.body, setting.packing))


class Packed(nn.Module):
    """A body that takes images and sees packs of consecutive ones."""

    def __init__(self, body: nn.Module, m: int) -> None:
        super().__init__()
        self.body = body
        self.m = m

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the features (N / m, features) of packs."""
        return self.body(images.unflatten(0, (-1, self.m)).flatten(1, 2))  # -> (N/m, m, C, H, W) -> (N/m, m*C, H, W)
