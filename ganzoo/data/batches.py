"""Batches of real images from pixels that stay on the training device as they are stored."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.api import Images
from ganzoo.train.seeds import generator


class Batches:
    """An endless stream of batches: each epoch a new permutation, its incomplete last batch dropped.

    The batch of draw number k is a function of the seed and k alone, so that the number is all the state there is.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device) -> None:
        self.pixels = torch.as_tensor(images.pixels, device=device)  # (N, C, H, W)
        self.labels = None if images.labels is None else torch.as_tensor(images.labels, device=device)
        self.batch_size = batch_size
        self.seed = seed
        self.draws = 0
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def draw(self) -> tuple[Tensor, Tensor | None]:
        """Return the next batch: images (N, C, H, W) in [-1, 1] and labels (N,), or None."""
        epoch, place = divmod(self.draws, len(self.pixels) // self.batch_size)
        if epoch != self._epoch:
            shuffled = torch.randperm(len(self.pixels), generator=generator(self.seed, f"epoch {epoch}"))
            self._order, self._epoch = shuffled.to(self.pixels.device), epoch
        index = self._order[place * self.batch_size :][: self.batch_size]
        self.draws += 1
        return to_unit(self.pixels[index]), None if self.labels is None else self.labels[index]


def to_unit(pixels: Tensor) -> Tensor:
    """Map uint8 pixels to [-1, 1]; float32 points are there already."""
    return pixels if pixels.dtype == torch.float32 else pixels.float().div_(127.5).sub_(1)


def to_pixels(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to uint8: floor(clip(127.5 x + 128, 0, 255)), the rounding of published scores."""
    return images.mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)
