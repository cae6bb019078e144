"""Convolutions from or to few channels as matrix products: to be tried on a GPU, and then kept in ganzoo or dropped.

cuDNN takes 9 to 23 microseconds for each of `dcgan`'s on an H200. As products, they are a kernel that gathers what each
place sees, or one that sums what it gives, and a product between; both are part of what is compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganzoo.train import lanes

aten: Any = torch.ops.aten
FEW, MANY = 4, 16
"""Channels: at most so many on one side, at least so many on the other."""


def put_in() -> None:
    """Have the compiler carry such convolutions out in here, for this process."""
    ours = {aten.convolution.default: convolution, aten.convolution_backward.default: convolution_backward}
    lanes.OURS = lanes.before(ours, lanes.OURS)


def convolution(
    x: Tensor, w: Tensor, b: Tensor | None, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int],
    transposed: bool, extra: Sequence[int], groups: int,
) -> Any:  # fmt: skip
    """Return what `aten.convolution` does."""
    if not _narrow(x, w, stride, padding, dilation, groups):
        return NotImplemented
    s, p = stride[0], padding[0]
    if transposed:
        side = [s * (n - 1) - 2 * p + k + more for n, k, more in zip(x.shape[2:], w.shape[2:], extra, strict=True)]
        y = summed(flat(x) @ kernel(w), x, w.shape[2], s, p, side)
    else:
        rows = columns(x, w.shape[2], s, p) @ kernel(w).T
        y = images(rows, len(x), [(n + 2 * p - w.shape[2]) // s + 1 for n in x.shape[2:]])
    return y if b is None else y + b.view(-1, 1, 1)


def convolution_backward(
    g: Tensor, x: Tensor, w: Tensor, biases: Sequence[int] | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, extra: Sequence[int], groups: int, mask: Sequence[bool],
) -> Any:  # fmt: skip
    """Return what `aten.convolution_backward` does."""
    if not _narrow(g, w, stride, padding, dilation, groups):
        return NotImplemented
    s, p, k = stride[0], padding[0], w.shape[2]
    few, many = (g, x) if transposed else (x, g)  # the images of few channels, and those of many
    around = columns(few, k, s, p) if mask[1] or transposed else None
    by_images = by_weights = None
    if mask[0] and transposed:
        assert around is not None
        by_images = images(around @ kernel(w).T, len(x), list(x.shape[2:]))
    elif mask[0]:
        by_images = summed(flat(g) @ kernel(w), g, k, s, p, list(x.shape[2:]))
    if mask[1]:
        assert around is not None
        by_weights = (flat(many).T @ around).view(w.shape[0], k, k, w.shape[1]).permute(0, 3, 1, 2)
    return by_images, by_weights, g.sum((0, 2, 3)) if mask[2] else None


def flat(x: Tensor) -> Tensor:
    """Map images (N, C, H, W) to rows (N H W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def images(rows: Tensor, count: int, side: Sequence[int]) -> Tensor:
    """Map rows (N H W, C) to images (N, C, H, W), their channels innermost."""
    return rows.view(count, *side, -1).permute(0, 3, 1, 2)


def kernel(w: Tensor) -> Tensor:
    """Map weights (many, few, K, K) to a matrix (many, K K few)."""
    return w.permute(0, 2, 3, 1).reshape(len(w), -1)


def columns(x: Tensor, k: int, s: int, p: int) -> Tensor:
    """Map images (N, C, H, W) to what each place of a kernel of side k sees: (N h w, k k C)."""
    seen = pad(x, [p, p, p, p]).unfold(2, k, s).unfold(3, k, s)  # n, c, h, w, k, k
    return seen.permute(0, 2, 3, 4, 5, 1).reshape(-1, k * k * x.shape[1])


def summed(rows: Tensor, at: Tensor, k: int, s: int, p: int, side: Sequence[int]) -> Tensor:
    """Map columns (N h w, k k C) at places (N, _, h, w) to the images that they are of, summed where they overlap.

    Row y of an image is row y + p - s i of the kernel at place i. Written as what each pixel reads, it is one kernel
    with all that comes behind.
    """
    count, _, *places = at.shape
    around = rows.view(count, *places, k, k, -1)  # n, i, j, a, b, c
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


def _narrow(
    x: Tensor, w: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
) -> bool:
    """Whether such a convolution is from or to few channels, and square in all that it does."""
    square = x.ndim == 4 and all(one[0] == one[1] for one in (stride, padding, w.shape[2:]))
    plain = groups == 1 and set(dilation) == {1}
    return square and plain and lanes.padded(x) and w.shape[1] <= FEW and len(w) >= MANY
