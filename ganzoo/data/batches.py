"""Batches of real images from pixels that stay on the training device as they are stored."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.api import Images
from ganzoo.train.seeds import generator


class Batches:
    """An endless stream of batches: each epoch a new permutation, its incomplete last batch dropped.

    The k-th batch is a function of the seed and k alone, so the number of batches so far is the whole state. Only
    `fetch` needs Python's numbers: it chooses images for several batches ahead. Drawing these needs tensors alone, so
    that a CUDA graph can hold it.
    """

    def __init__(self, images: Images, batch_size: int, seed: int, device: torch.device) -> None:
        self.pixels = torch.as_tensor(images.pixels, device=device)  # (N, C, H, W)
        self.labels = None if images.labels is None else torch.as_tensor(images.labels, device=device)
        self.batch_size = batch_size
        self.seed = seed
        self.draws = 0
        """Number of batches chosen so far."""
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)
        self._chosen = torch.empty(0, batch_size, dtype=torch.int64, device=device)
        self._place = 0

    def fetch(self, count: int) -> None:
        """Choose the images of the next `count` batches; equal counts reuse the same memory."""
        if len(self._chosen) != count:
            self._chosen = self._chosen.new_empty(count, self.batch_size)
        start, each = self.draws, len(self.pixels) // self.batch_size
        while start < self.draws + count:
            epoch, first = divmod(start, each)
            last = min(first + self.draws + count - start, each)
            place, rows = start - self.draws, last - first
            chosen = self._ordered(epoch)[first * self.batch_size : last * self.batch_size]
            self._chosen[place : place + rows] = chosen.view(rows, self.batch_size)
            start += rows
        self.draws += count
        self.rewind()

    def rewind(self) -> None:
        """Go back to the first batch of the last `fetch`."""
        self._place = 0

    def next(self) -> Tensor:
        """Return the indices (N,) of the next batch."""
        if self._place == len(self._chosen):
            self.fetch(1)
        self._place += 1
        return self._chosen[self._place - 1]

    def images(self, index: Tensor) -> Tensor:
        """Return these images, (N, C, H, W) in [-1, 1]."""
        return to_unit(self.pixels[index])

    def classes(self, index: Tensor) -> Tensor | None:
        """Return their labels (N,), or None."""
        return None if self.labels is None else self.labels[index]

    def draw(self) -> tuple[Tensor, Tensor | None]:
        """Return the next batch: images and labels."""
        index = self.next()
        return self.images(index), self.classes(index)

    def _ordered(self, epoch: int) -> Tensor:
        """Return the order of an epoch (N,), permuted on the CPU: a seed gives the same order on every device."""
        if epoch != self._epoch:
            random, device = generator(self.seed, f"epoch {epoch}"), self.pixels.device
            shuffled = torch.randperm(len(self.pixels), generator=random, pin_memory=device.type == "cuda")
            self._order, self._epoch = shuffled.to(device, non_blocking=True), epoch  # the host does not wait for it
        return self._order


def to_unit(pixels: Tensor) -> Tensor:
    """Map uint8 pixels to [-1, 1]; points are there already."""
    return pixels if pixels.is_floating_point() else pixels.div(127.5).sub_(1)


def to_pixels(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to uint8: floor(clip(127.5 x + 128, 0, 255)), the rounding of published scores."""
    return images.mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8)
