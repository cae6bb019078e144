"""Convolutions from or to few channels as matrix products, as the compiler carries them out on a GPU.

Images have three channels, and a tensor core takes eight at a time. A product has a kernel before it that gathers what
each place sees, or one behind that sums what it gives; both become part of what is compiled around them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

FEW, MANY = 4, 16
"""Channels: at most so many on one side, at least so many on the other."""
LANES = 8
"""Channels, or columns, that tensor cores take at a time."""


def pays(
    x: Tensor, w: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], transposed: bool,
    extra: Sequence[int], groups: int,
) -> bool:  # fmt: skip
    """Whether such a convolution, given as to `aten.convolution`, is faster as a product, and one that we know."""
    square = x.ndim == 4 and all(one[0] == one[1] for one in (stride, padding, w.shape[2:]))
    narrow = w.shape[1] <= FEW and len(w) >= MANY and not w[0].numel() % LANES
    return square and narrow and groups == 1 and set(dilation) == {1}


def convolution(
    x: Tensor, w: Tensor, b: Tensor | None, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int],
    transposed: bool, extra: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return what `aten.convolution` does."""
    s, p, k = stride[0], padding[0], w.shape[2]
    if transposed:
        side = [s * (n - 1) - 2 * p + k + more for n, more in zip(x.shape[2:], extra, strict=True)]
        y = _summed(_flat(x) @ _matrix(w), x, k, s, p, side)
    else:
        y = _images(_columns(x, k, s, p) @ _matrix(w).T, len(x), [(n + 2 * p - k) // s + 1 for n in x.shape[2:]])
    return y if b is None else y + b.view(-1, 1, 1)


def convolution_backward(
    g: Tensor, x: Tensor, w: Tensor, biases: Sequence[int] | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, extra: Sequence[int], groups: int, mask: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    """Return what `aten.convolution_backward` does: the gradients that its last argument asks for."""
    s, p, k = stride[0], padding[0], w.shape[2]
    few, many = (g, x) if transposed else (x, g)  # the images of few channels, and those of many
    around = _columns(few, k, s, p) if mask[1] or transposed else None
    by_images = by_weights = None
    if mask[0] and around is not None and transposed:
        by_images = _images(around @ _matrix(w).T, len(x), x.shape[2:])
    elif mask[0]:
        by_images = _summed(_flat(g) @ _matrix(w), g, k, s, p, x.shape[2:])
    if mask[1] and around is not None:
        by_weights = (_flat(many).T @ around).unflatten(1, (k, k, -1)).permute(0, 3, 1, 2)
    return by_images, by_weights, g.sum((0, 2, 3)) if mask[2] else None


def _flat(x: Tensor) -> Tensor:
    """Map images (N, C, H, W) to rows (N H W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images(rows: Tensor, count: int, side: Sequence[int]) -> Tensor:
    """Map rows (N H W, C) to images (N, C, H, W), their channels innermost."""
    return rows.view(count, *side, rows.shape[1]).permute(0, 3, 1, 2)


def _matrix(w: Tensor) -> Tensor:
    """Map weights (many, few, K, K) to a matrix (many, K K few)."""
    return w.permute(0, 2, 3, 1).reshape(len(w), -1)


def _columns(x: Tensor, k: int, s: int, p: int) -> Tensor:
    """Map images (N, C, H, W) to what each place of a kernel of side k sees: (N h w, k k C)."""
    seen = pad(x, [p, p, p, p]).unfold(2, k, s).unfold(3, k, s)  # n, c, h, w, k, k
    return seen.permute(0, 2, 3, 4, 5, 1).reshape(-1, k * k * x.shape[1])


def _summed(rows: Tensor, at: Tensor, k: int, s: int, p: int, side: Sequence[int]) -> Tensor:
    """Map columns (N h w, k k C) at places (N, _, h, w) to the images that they are of, summed where they overlap.

    Row y of an image is row y + p - s i of the kernel at place i. Written as what each pixel reads, it is one kernel
    with all that comes behind.
    """
    count, _, *places = at.shape
    around = rows.unflatten(1, (k, k, -1)).unflatten(0, (count, *places))  # n, i, j, a, b, c
    total: Any = 0
    for i, a, there in _reading(side[0], places[0], k, s, p, rows.device):
        for j, b, here in _reading(side[1], places[1], k, s, p, rows.device):
            part = around[:, i[:, None], j, a[:, None], b]  # n, y, x, c
            total = total + torch.where((there[:, None] & here)[..., None], part, 0)
    return total.permute(0, 3, 1, 2)


def _reading(
    side: int, places: int, k: int, s: int, p: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield for each row of images a place, the kernel's row there, and whether there is such a place and row."""
    y = torch.arange(side, device=device) + p
    for back in range(-(-k // s)):
        place, row = y // s - back, y % s + s * back
        yield place.clamp(0, places - 1), row.clamp(max=k - 1), (place >= 0) & (place < places) & (row < k)
