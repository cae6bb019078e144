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


class Place(NamedTuple):
    """Where a convolution's kernel is put."""

    stride: int
    padding: int
    kernel: int


class Down(Function):
    """A convolution: large (N, C, H, W), weights (D, C, k, k), bias (D,) -> small (N, D, h, w)."""

    @staticmethod
    def forward(ctx: Any, large: Tensor, w: Tensor, bias: Tensor | None, place: Place) -> Tensor:
        """Return `small`: by tiles where that is faster."""
        ctx.save_for_backward(large, w)
        ctx.place = place
        if tiles(large.dtype, large.shape, w.shape[0], place):
            small = winograd.correlate(large, w)
            return small if bias is None else small.add_(bias[:, None, None])
        return torch.conv2d(large, w, bias, place.stride, place.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `large`, the weights and the bias."""
        (small,) = gradients
        large, w = ctx.saved_tensors
        side = (large.shape[2], large.shape[3])
        to_large, to_w, to_bias, _ = ctx.needs_input_grad
        return (
            Up.apply(small, w, None, side, ctx.place) if to_large else None,
            Weigh.apply(small, large, ctx.place) if to_w else None,
            small.sum((0, 2, 3)) if to_bias else None,
            None,
        )


class Up(Function):
    """Its transpose: small (N, D, h, w), weights (D, C, k, k), bias (C,) -> large (N, C, *side)."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, w: Tensor, bias: Tensor | None, side: tuple[int, int], place: Place) -> Tensor:
        """Return `large`: by tiles, or by a product and a few sums, where that is faster."""
        ctx.save_for_backward(small, w)
        ctx.place = place
        if tiles(small.dtype, small.shape, w.shape[1], place):
            large = winograd.correlate_back(small, w)
            return large if bias is None else large.add_(bias[:, None, None])
        if folds(w.shape[1], place):
            return fold(rows(small) @ rows(w, 1), bias, small.shape, side, place)
        extra = [whole - transposed(part, place) for whole, part in zip(side, small.shape[2:], strict=True)]
        return torch.conv_transpose2d(small, w, bias, place.stride, place.padding, extra)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of `small`, the weights and the bias."""
        (large,) = gradients
        small, w = ctx.saved_tensors
        to_small, to_w, to_bias, *_ = ctx.needs_input_grad
        return (
            Down.apply(large, w, None, ctx.place) if to_small else None,
            Weigh.apply(small, large, ctx.place) if to_w else None,
            large.sum((0, 2, 3)) if to_bias else None,
            None,
            None,
        )


class Weigh(Function):
    """The gradient of the weights: small (N, D, h, w), large (N, C, H, W) -> (D, C, k, k)."""

    @staticmethod
    def forward(ctx: Any, small: Tensor, large: Tensor, place: Place) -> Tensor:
        """Return the gradient: by tiles, or as one product, where that is faster."""
        ctx.save_for_backward(small, large)
        ctx.place = place
        if tiles(large.dtype, large.shape, small.shape[1], place):
            return winograd.weigh(small, large)
        shape = (small.shape[1], large.shape[1], place.kernel, place.kernel)
        if multiplies(small.dtype, small.shape[2:], place):
            product = rows(small).T @ unfold(large, place)  # (D, N*h*w) @ (N*h*w, k*k*C)
            return product.view(shape[0], place.kernel, place.kernel, shape[1]).permute(0, 3, 1, 2)
        stride, padding = [place.stride] * 2, [place.padding] * 2
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
            Down.apply(large, w, None, ctx.place) if to_small else None,
            Up.apply(small, w, None, side, ctx.place) if to_large else None,
            None,
        )


def tiles(dtype: torch.dtype, images: Sequence[int], outputs: int, place: Place) -> bool:
    """Whether Winograd tiles make a convolution of such images, its transpose and its gradients faster."""
    return place == (1, 1, 3) and winograd.pays(images, outputs, dtype)


def folds(channels: int, place: Place) -> bool:
    """Whether a transposed convolution to so many channels is faster as one product."""
    return channels <= FEW and place.kernel in (place.stride, 2 * place.stride, 3 * place.stride)


def multiplies(dtype: torch.dtype, side: Sequence[int], place: Place) -> bool:
    """Whether the gradient of the weights is faster as one product, where `small` has these sides."""
    return dtype == torch.bfloat16 and place.stride > 1 and math.prod(side) <= SMALL


def smaller(side: int, place: Place) -> int:
    """Return the side of `small` that a convolution makes of a side of `large`."""
    return (side + 2 * place.padding - place.kernel) // place.stride + 1


def transposed(side: int, place: Place) -> int:
    """Return the least side of `large` that a convolution turns into this side of `small`."""
    return (side - 1) * place.stride - 2 * place.padding + place.kernel


def rows(images: Tensor, start: int = 0) -> Tensor:
    """Make each pixel a row, (N, C, h, w) -> (N*h*w, C), or with start 1 each image, -> (N, h*w*C)."""
    return images.permute(0, 2, 3, 1).flatten(start, start + 2)


def unfold(large: Tensor, place: Place) -> Tensor:
    """Return what the kernel covers at each of its positions: (N, C, H, W) -> (N*h*w, k*k*C)."""
    stride, padding, k = place
    n, c, height, width = large.shape
    padded = large.new_zeros(n, height + 2 * padding, width + 2 * padding, c)
    padded[:, padding : padding + height, padding : padding + width] = large.permute(0, 2, 3, 1)
    h, w = smaller(height, place), smaller(width, place)
    a, b, c_, _ = padded.stride()
    seen = padded.as_strided((n, h, w, k, k * c), (a, b * stride, c_ * stride, b, 1))
    return seen.reshape(n * h * w, k * k * c)


def fold(columns: Tensor, bias: Tensor | None, small: torch.Size, side: tuple[int, int], place: Place) -> Tensor:
    """Add up what each pixel of `small` contributes to `large`: (N*h*w, k*k*C) -> (N, C, *side); `unfold`'s adjoint.

    The sums are in float32 where the columns are in bfloat16.
    """
    stride, padding, k = place
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
