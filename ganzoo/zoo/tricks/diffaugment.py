"""DiffAugment: differentiable augmentation (Zhao, Liu, Lin, Zhu & Han 2020)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ganzoo.api import Trick
from ganzoo.zoo.specs.tricks.augmentation import DiffAugmentParams
from ganzoo.zoo.transforms import shift


class DiffAugment(Trick[DiffAugmentParams]):
    """T in D(T(x)) and D(T(G(z))), in both players' steps (section 3.2), drawn anew for each image."""

    def augment(self, images: Tensor, rng: Generator) -> Tensor:
        """Change images (N, C, H, W) by the policy: colour, then translation, then cutout."""
        height, width = images.shape[2:]
        if self.params.color:
            images = color(images, rng)
        if self.params.translation:
            images = shift(images, (height + 4) // 8, (width + 4) // 8, rng, reflect=False)  # 1/8 of the side, rounded
        if self.params.cutout:
            images = cutout(images, rng)
        return images


def color(images: Tensor, rng: Generator) -> Tensor:
    """Change brightness by up to 0.5, saturation by a factor up to 2, contrast by one from 0.5 to 1.5.

    The ranges are those of the authors' release, on images that span -1 to 1. Grey images have no saturation, so
    that factor leaves them as they are.
    """
    shape = (3, len(images), 1, 1, 1)
    brightness, saturation, contrast = torch.rand(shape, generator=rng, device=images.device, dtype=images.dtype)
    images = images + brightness - 0.5
    grey = images.mean(1, keepdim=True)
    images = torch.lerp(grey, images, 2 * saturation)
    mean = images.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, images, contrast + 0.5)


def cutout(images: Tensor, rng: Generator) -> Tensor:
    """Set a square of half the side to 0; its centre lies anywhere in the image."""
    rows, columns = (_hidden(len(images), side, rng) for side in images.shape[2:])
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)


def _hidden(count: int, side: int, rng: Generator) -> Tensor:
    """Return which (count, side) of the rows or columns the square covers."""
    size = (side + 1) // 2
    centre = torch.randint(0, side + 1 - size % 2, (count, 1), generator=rng, device=rng.device)
    distance = torch.arange(side, device=rng.device) - (centre - size // 2)
    return (distance >= 0) & (distance < size)
