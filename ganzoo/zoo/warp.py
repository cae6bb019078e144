"""Affine maps of images as StyleGAN2-ADA draws them (Karras et al. 2020, appendix B), differentiable twice and more.

Maps are given backwards: they tell for each pixel of the output where in the input it comes from, in (right, down)
pixels from the centre. Beyond its edge an image is mirrored at the centres of its outermost pixels, again and again.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ganzoo.zoo.transforms import mirror

SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
"""The low-pass filter of the symlet with six vanishing moments (Daubechies 1992); orthogonal to its even shifts."""


def blit(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Copy each pixel x of images (N, C, H, W) from the one at linear x + offset.

    The maps (N, 2, 2), (N, 2) are flips, quarter turns and moves by whole pixels, which lead from pixel to pixel; a
    quarter turn of an oblong image may lead between two, and takes either.
    """
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device) - (height - 1) / 2
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    place = torch.stack(torch.meshgrid(x, y, indexing="xy"), 2).flatten(0, 1)  # (H*W, 2)
    right, down = (place @ linear.mT + offset[:, None]).unbind(2)  # (N, H*W) each
    row = mirror((down + (height - 1) / 2).round().long(), height)
    column = mirror((right + (width - 1) / 2).round().long(), width)
    source = (row * width + column)[:, None].expand(-1, images.shape[1], -1)  # (N, C, H*W)
    return images.flatten(2).gather(2, source).view_as(images)


def warp(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Draw each pixel x of images (N, C, H, W) from linear x + offset, for any maps (N, 2, 2), (N, 2).

    An image is doubled in size by a wavelet filter, sampled bilinearly, and halved by the same filter, so that turning
    it neither blurs nor aliases. The filter is not quite symmetric: a half turn moves an image by 0.4 pixels, as in the
    authors' release. One whose map is the identity comes back bit for bit. Sides must be at least 2.
    """
    height, width = images.shape[2:]
    moved = (linear != torch.eye(2, device=linear.device)).flatten(1).any(1) | (offset != 0).any(1)
    up_y, down_y = _resamplers(height, images.device, images.dtype)
    up_x, down_x = _resamplers(width, images.device, images.dtype)
    fine = up_y @ images @ up_x.mT  # (N, C, H, W) -> (N, C, 2H-2, 2W-2)
    warped = _Sample.apply(fine, _grid(linear, offset, height, width).to(images.dtype))  # (N, C, 2H+10, 2W+10)
    return torch.where(moved.view(-1, 1, 1, 1), down_y @ warped @ down_x.mT, images)


def _grid(linear: Tensor, offset: Tensor, height: int, width: int) -> Tensor:
    """Return where (N, 2H+10, 2W+10, 2) to sample, in units in which the outermost pixels' centres lie at -1 and 1."""
    wide, high = 2 * width + 10, 2 * height + 10  # halving an image takes 5 doubled pixels on each side
    right, down = linear.unbind(2)
    theta = torch.stack([right * (wide / 4), down * (high / 4), offset], 2)  # from units of half the output to pixels
    across, along = theta.unbind(1)
    theta = torch.stack([across * (2 / (width - 1)), along * (2 / (height - 1))], 1)
    return affine_grid(theta, [len(theta), 1, high, wide], align_corners=False)


@functools.cache
def _resamplers(side: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the matrices that double and halve one side of an image.

    Pixel i becomes the doubled pixels 2i and 2i+1, a quarter of a pixel to either side of its centre. Doubling takes in
    the mirrored surroundings and leaves off the outermost doubled pixel at each end, so that the array ends exactly at
    the centres of the outermost pixels, where the sampling mirrors it.

    Returns:
        (2 * side - 2, side) and (side, 2 * side + 10).
    """
    double = torch.zeros(2 * side, side, dtype=torch.float64)
    halve = torch.zeros(side, 2 * side + 10, dtype=torch.float64)
    period = 2 * (side - 1)
    for i in range(-6, side + 6):
        folded = min(i % period, -i % period)
        for k, tap in enumerate(SYM6):
            if 0 <= 2 * i + k - 5 < 2 * side:
                double[2 * i + k - 5, folded] += math.sqrt(2) * tap
            if 0 <= i < side:
                halve[i, 2 * i + k] = tap / math.sqrt(2)
    return double[1:-1].to(device, dtype), halve.to(device, dtype)


class _Sample(torch.autograd.Function):
    """Bilinear sampling with mirrored edges.

    It is linear in the images, so its backward is the transposed map and that one's backward is sampling again. PyTorch
    differentiates its own grid_sample twice only since a later version than the oldest that we support.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        """Sample images (N, C, H, W) at (N, h, w, 2) -> (N, C, h, w)."""
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Spread gradients (N, C, h, w) over (N, C, H, W)."""
        (grid,) = ctx.saved_tensors
        return _Spread.apply(gradients[0], grid, ctx.shape), None


class _Spread(torch.autograd.Function):
    """The transpose of _Sample."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        """Spread values (N, C, h, w) over images of a shape."""
        ctx.save_for_backward(grid)
        bilinear, reflection = 0, 2  # PyTorch's own numbers of the modes
        images, _ = torch.ops.aten.grid_sampler_2d_backward(
            values, values.new_empty(shape), grid, bilinear, reflection, False, [True, False]
        )
        return images

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Sample."""
        (grid,) = ctx.saved_tensors
        return _Sample.apply(gradients[0], grid), None, None
