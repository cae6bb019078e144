"""Convolutions on a CPU: each by the fastest of its kernels, chosen by its shapes alone.

A convolution, its transpose and its weights' gradient are the three derivatives of one trilinear form,

    <down(large, w), small> = <large, up(small, w)> = <w, weigh(small, large)>,

where `large` are the images before a convolution and `small` those behind it. So the derivatives of each are the other
two, and all can be differentiated as often as one likes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from ganzoo.train import winograd

FEW = 6
"""Most channels of `large` for which `up` is a product and a few sums: oneDNN computes 16 where there are 3."""
SMALL = 36
"""Most pixels of `small`, height times width, for which a strided `weigh` in bfloat16 is one product."""


class Geometry(NamedTuple):
    """Stride, padding and kernel side of a convolution, the same in both directions."""

    stride: int
    padding: int
    kernel: int


class Down(Function):
    """A convolution: large (N, C, H, W), weights (D, C, k, k), bias (D,) -> small (N, D, h, w)."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, w: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        """Return `small`: by tiles where that is faster."""
        ctx.save_for_backward(large, w)
        ctx.geometry = geometry
        if tiles(large.dtype, large.shape, w.shape[0], geometry):
            small = winograd.correlate(large, w)
            return _free(small if bias is None else small.add_(bias[:, None, None]))
        return torch.conv2d(large, w, bias, geometry.stride, geometry.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `large`, the weights and the bias."""
        (small,) = gradients
        large, w = ctx.saved_tensors
        side = (large.shape[2], large.shape[3])
        to_large, to_w, to_bias, _ = ctx.needs_input_grad
        return (
            Up.apply(small, w, None, side, ctx.geometry) if to_large else None,
            Weigh.apply(small, large, ctx.geometry) if to_w else None,
            small.sum((0, 2, 3)) if to_bias else None,
            None,
        )


class Up(Function):
    """Its transpose: small (N, D, h, w), weights (D, C, k, k), bias (C,) -> large (N, C, *side)."""

    @staticmethod
    def forward(
        ctx: Any, small: Tensor, w: Tensor, bias: Tensor | None, side: tuple[int, int], geometry: Geometry
    ) -> Tensor:
        """Return `large`: by tiles, or by a product and a few sums, where that is faster."""
        ctx.save_for_backward(small, w)
        ctx.geometry = geometry
        if tiles(small.dtype, small.shape, w.shape[1], geometry):
            large = winograd.correlate_back(small, w)
            return _free(large if bias is None else large.add_(bias[:, None, None]))
        if folds(w.shape[1], geometry):
            return _free(fold(rows(small) @ rows(w, 1), bias, small.shape, side, geometry))
        extra = [whole - transposed(part, geometry) for whole, part in zip(side, small.shape[2:], strict=True)]
        return torch.conv_transpose2d(small, w, bias, geometry.stride, geometry.padding, extra)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `small`, the weights and the bias."""
        (large,) = gradients
        small, w = ctx.saved_tensors
        to_small, to_w, to_bias, *_ = ctx.needs_input_grad
        return (
            Down.apply(large, w, None, ctx.geometry) if to_small else None,
            Weigh.apply(small, large, ctx.geometry) if to_w else None,
            large.sum((0, 2, 3)) if to_bias else None,
            None,
            None,
        )


class Weigh(Function):
    """The gradient of the weights: small (N, D, h, w), large (N, C, H, W) -> (D, C, k, k)."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, large: Tensor, geometry: Geometry) -> Tensor:
        """Return the gradient: by tiles, or as one product, where that is faster."""
        ctx.save_for_backward(small, large)
        ctx.geometry = geometry
        if tiles(large.dtype, large.shape, small.shape[1], geometry):
            return winograd.weigh(small, large)
        shape = (small.shape[1], large.shape[1], geometry.kernel, geometry.kernel)
        if multiplies(small.dtype, small.shape[2:], geometry):
            product = rows(small).T @ unfold(large, geometry)  # (D, N*h*w) @ (N*h*w, k*k*C)
            return product.view(shape[0], geometry.kernel, geometry.kernel, shape[1]).permute(0, 3, 1, 2)
        stride, padding = [geometry.stride] * 2, [geometry.padding] * 2
        like = small.new_empty(shape).contiguous(memory_format=torch.channels_last)
        return torch.ops.aten.convolution_backward(
            small, large, like, None, stride, padding, [1, 1], False, [0, 0], 1, [False, True, False]
        )[1]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `small` and `large`."""
        (w,) = gradients
        small, large = ctx.saved_tensors
        side = (large.shape[2], large.shape[3])
        to_small, to_large, _ = ctx.needs_input_grad
        return (
            Down.apply(large, w, None, ctx.geometry) if to_small else None,
            Up.apply(small, w, None, side, ctx.geometry) if to_large else None,
            None,
        )


def _free(images: Tensor) -> Tensor:
    """Return images that may be changed in place, in the same memory: views that a function makes may not."""
    whole: Any = images.new_empty(0)
    return whole.set_(images) if images._is_view() else images


def tiles(dtype: torch.dtype, images: Sequence[int], outputs: int, geometry: Geometry) -> bool:
    """Whether Winograd tiles make a convolution of such images, its transpose and its gradients faster."""
    return geometry == (1, 1, 3) and winograd.pays(images, outputs, dtype)


def folds(channels: int, geometry: Geometry) -> bool:
    """Whether a transposed convolution to so many channels is faster as one product."""
    return channels <= FEW and geometry.kernel in (geometry.stride, 2 * geometry.stride, 3 * geometry.stride)


def multiplies(dtype: torch.dtype, side: Sequence[int], geometry: Geometry) -> bool:
    """Whether the gradient of the weights is faster as one product, where `small` has these sides."""
    return dtype == torch.bfloat16 and geometry.stride > 1 and math.prod(side) <= SMALL


def smaller(side: int, geometry: Geometry) -> int:
    """Return the side of `small` that a convolution makes of a side of `large`."""
    return (side + 2 * geometry.padding - geometry.kernel) // geometry.stride + 1


def transposed(side: int, geometry: Geometry) -> int:
    """Return the least side of `large` that a convolution turns into this side of `small`."""
    return (side - 1) * geometry.stride - 2 * geometry.padding + geometry.kernel


def rows(images: Tensor, start: int = 0) -> Tensor:
    """Make each pixel a row, (N, C, h, w) -> (N*h*w, C), or with start 1 each image, -> (N, h*w*C)."""
    return images.permute(0, 2, 3, 1).flatten(start, start + 2)


def unfold(large: Tensor, geometry: Geometry) -> Tensor:
    """Return what the kernel covers at each of its positions: (N, C, H, W) -> (N*h*w, k*k*C)."""
    stride, padding, k = geometry
    n, c, height, width = large.shape
    padded = large.new_zeros(n, height + 2 * padding, width + 2 * padding, c)
    padded[:, padding : padding + height, padding : padding + width] = large.permute(0, 2, 3, 1)
    h, w = smaller(height, geometry), smaller(width, geometry)
    a, b, c_, _ = padded.stride()
    seen = padded.as_strided((n, h, w, k, k * c), (a, b * stride, c_ * stride, b, 1))
    return seen.reshape(n * h * w, k * k * c)


def fold(columns: Tensor, bias: Tensor | None, small: torch.Size, side: tuple[int, int], geometry: Geometry) -> Tensor:
    """Add up what each pixel of `small` contributes to `large`: (N*h*w, k*k*C) -> (N, C, *side); `unfold`'s adjoint.

    The sums are in float32 where the columns are in bfloat16.
    """
    stride, padding, k = geometry
    n, _, h, w = small
    height, width = (-(-(whole + padding) // stride) for whole in side)
    reach = k // stride  # the kernel, in blocks of stride x stride
    height, width = max(height, h + reach - 1), max(width, w + reach - 1)
    dtype = torch.promote_types(columns.dtype, torch.float32)
    blocks = columns.to(dtype).view(n, h, w, reach, stride, reach, stride, -1)
    total = blocks.new_zeros(n, height, stride, width, stride, blocks.shape[-1])
    for i in range(reach):
        for j in range(reach):
            total[:, i : i + h, :, j : j + w] += blocks[:, :, :, i, :, j].transpose(2, 3)
    large = total.view(n, height * stride, width * stride, -1)
    large = large[:, padding : padding + side[0], padding : padding + side[1]]
    if bias is not None:
        large = large + bias
    return large.to(columns.dtype).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
