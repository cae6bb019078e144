"""Convolutions and matrix products in the form that a GPU computes fastest; the compiler replaces PyTorch's by them.

Four changes, each of which becomes part of the compiled kernels:

- In bfloat16 tensor cores take eight channels at a time. Convolutions from or to an image's three are matrix products
  (`products.py`); elsewhere, missing ones are zeros, for which cuDNN would start four or more kernels of its own.
- In bfloat16 images and weights are channels-last, otherwise images where the weights are; PyTorch would copy them,
  slowly.
- In bfloat16 so are the images of a batch norm that has running statistics. For others TorchInductor times several
  forms of one kernel, and where something else used the GPU meanwhile, it has chosen one that takes five times as long.
- A matrix product with a single row or column is written as a product by elements, and a sum where needed. The
  compiler fuses it with its neighbours, while cuBLAS takes two or three kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._prims_common import suggest_memory_format
from torch.nn.functional import pad

from ganzoo.train import products
from ganzoo.train.products import LANES

aten: Any = torch.ops.aten
Decompositions = Mapping[Any, Callable[..., Any]]
"""A replacement for each PyTorch operator; it returns NotImplemented to keep the original."""


def replaced(table: Decompositions) -> dict[Any, Callable[..., Any]]:
    """Return the compiler's decompositions, with ours tried first."""
    return before(OURS, table)


def before(ours: Decompositions, theirs: Decompositions) -> dict[Any, Callable[..., Any]]:
    """Return both tables as one: ours are tried first, then theirs."""

    def first(one: Callable[..., Any], other: Callable[..., Any] | None) -> Callable[..., Any]:
        def decompose(*args: Any, **kwargs: Any) -> Any:
            found = one(*args, **kwargs)
            return other(*args, **kwargs) if found is NotImplemented and other else found

        return decompose

    return {**theirs, **{operator: first(one, theirs.get(operator)) for operator, one in ours.items()}}


def padded(x: Tensor) -> bool:
    """Whether cuDNN would pad the channels of such tensors."""
    return x.is_cuda and x.dtype == torch.bfloat16


def copied(x: Tensor) -> bool:
    """Whether PyTorch would copy such tensors where their channels are not innermost and others' are."""
    return x.is_cuda


def convolution(x: Tensor, w: Tensor, b: Tensor | None, *place: Any) -> Any:
    """Return what `aten.convolution` does."""
    *_, transposed, _, groups = place
    if padded(x) and products.pays(x, w, *place):
        return products.convolution(x, w, b, *place)
    if not _improves(w, groups, x):
        return NotImplemented
    y = aten.convolution(_inner(_filled(x, groups, 1), w), _inner(_filled(w, groups, 0, 1), w), None, *place)
    y = y[:, : w.shape[1] * groups if transposed else w.shape[0]]
    return y if b is None else y + b.view(-1, *(1 for _ in w.shape[2:]))


def convolution_backward(g: Tensor, x: Tensor, w: Tensor, biases: Sequence[int] | None, *place: Any) -> Any:
    """Return what `aten.convolution_backward` does: the gradients that its last argument asks for."""
    *where, (images, weights, bias) = place
    groups: int = where[-1]
    if padded(g) and products.pays(x, w, *where):
        return products.convolution_backward(g, x, w, biases, *place)
    if not _improves(w, groups, g, x):
        return NotImplemented
    found: list[Tensor | None] = [None, None, g.sum((0, *range(2, g.ndim))) if bias else None]
    if images or weights:
        seen = (_inner(_filled(one, groups, 1), w) for one in (g, x))
        kernel = _inner(_filled(w, groups, 0, 1), w)
        by_images, by_weights, _ = aten.convolution_backward(*seen, kernel, None, *where, [images, weights, False])
        if images:
            found[0] = by_images[:, : x.shape[1]]
        if weights:
            found[1] = by_weights[: w.shape[0], : w.shape[1]]
    return tuple(found)


def batch_norm(x: Tensor, *rest: Any) -> Any:
    """Return what `aten._native_batch_norm_legit_functional` does."""
    from torch._inductor.inductor_prims import force_stride_order  # noqa: PLC0415  (seconds)

    inner = torch.channels_last
    if x.ndim != 4 or not padded(x) or x.is_contiguous(memory_format=inner):
        return NotImplemented
    order = torch.empty_like(x, memory_format=inner).stride()
    copy: Any = force_stride_order(x, order)  # one that becomes no part of what reads it
    y, *found = aten._native_batch_norm_legit_functional(copy, *rest)
    return y.contiguous(), *found  # laid out as it would be otherwise, for views of it


def single(a: Tensor, b: Tensor) -> bool:
    """Whether one factor is a single row or column, so that the product is faster by elements."""
    return a.is_cuda and 1 in b.shape


def mm(a: Tensor, b: Tensor) -> Any:
    """Return what `aten.mm` does."""
    if not single(a, b):
        return NotImplemented
    return a * b if len(b) == 1 else (a * b.T).sum(1, keepdim=True)


def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """Return what `aten.addmm` does."""
    if not single(a, b) or (beta, alpha) != (1, 1):
        return NotImplemented
    return c + mm(a, b)


def _improves(w: Tensor, groups: int, *seen: Tensor) -> bool:
    """Whether to fill up channels, or to make images or weights channels-last."""
    lacking = groups == 1 and padded(seen[0]) and any(one % LANES for one in w.shape[:2])
    return lacking or any(_scattered(x, w) for x in (*seen, w))


def _scattered(x: Tensor, w: Tensor) -> bool:
    """Whether images or weights are not channels-last, and should be."""
    inner = torch.channels_last
    scattered = x.ndim == 4 and not x.is_contiguous(memory_format=inner)
    return scattered and copied(x) and (padded(x) or suggest_memory_format(w) == inner)


def _inner(x: Tensor, w: Tensor) -> Tensor:
    """Return images or weights channels-last if they should be."""
    return x.contiguous(memory_format=torch.channels_last) if _scattered(x, w) else x


def _filled(x: Tensor, groups: int, *dims: int) -> Tensor:
    """Return a tensor with zeros behind, up to whole lanes in some dimensions."""
    if groups != 1 or not padded(x):
        return x
    for dim in dims:
        missing = -x.shape[dim] % LANES
        x = pad(x, [0, 0] * (x.ndim - 1 - dim) + [0, missing]) if missing else x
    return x


OURS: Decompositions = {
    aten.convolution.default: convolution,
    aten.convolution_backward.default: convolution_backward,
    aten._native_batch_norm_legit_functional.default: batch_norm,
    aten.mm.default: mm,
    aten.addmm.default: addmm,
}
