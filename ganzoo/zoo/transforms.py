"""Image transforms that several tricks share: drawn for each image on its own, differentiable as often as one likes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def flip(images: Tensor, rng: Generator) -> Tensor:
    """Mirror each of images (N, C, H, W) left to right with probability 1/2."""
    chosen = torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device) < 0.5
    return torch.where(chosen, images.flip(3), images)


def shift(images: Tensor, down: int, right: int, rng: Generator, *, reflect: bool) -> Tensor:
    """Move each of images (N, C, H, W) by whole pixels, uniformly from -down to down and from -right to right.

    What comes in from outside is 0, or where `reflect` is set the image mirrored at the centre of its outermost pixels.
    """
    return _moved(_moved(images, 2, down, rng, reflect), 3, right, rng, reflect)


def _moved(images: Tensor, axis: int, limit: int, rng: Generator, reflect: bool) -> Tensor:
    """Move each image along one axis."""
    side = images.shape[axis]
    by = torch.randint(-limit, limit + 1, (len(images), 1), generator=rng, device=images.device)
    source = torch.arange(side, device=images.device) - by  # (N, side): the row or column that each comes from
    inside = mirror(source, side) if reflect else source.clamp(0, side - 1)
    shape = [len(images), 1, 1, 1]
    shape[axis] = side
    moved = images.gather(axis, inside.view(shape).expand_as(images))
    return moved if reflect else moved * (source == inside).view(shape)


def mirror(index: Tensor, side: int) -> Tensor:
    """Return the rows or columns, from 0 to side - 1, that whole numbers outside mean: -1 is 1, side is side - 2."""
    period = max(2 * (side - 1), 1)
    folded = index.remainder(period)
    return torch.minimum(folded, period - folded)
