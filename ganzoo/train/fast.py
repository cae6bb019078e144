"""The fast mode on a CPU: some of PyTorch's functions with other kernels or in another memory layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from ganzoo.train.convolution import Down, Geometry, Up, folds, multiplies, smaller, tiles, transposed


class Fast(TorchFunctionMode):
    """Within this context all networks use the fast mode's functions, whose results differ by rounding."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Carry a function out."""
        own = OWN.get(func, func)
        if own is not func and torch._C._are_functorch_transforms_active():  # pyright: ignore[reportPrivateUsage]
            own = func  # torch.func knows PyTorch's own functions alone
        return own(*args, **(kwargs or {}))


def convolve(
    input: Tensor, weight: Tensor, bias: Tensor | None = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Compute `torch.conv2d`, with faster kernels where it or its gradients have some."""
    geometry = _geometry(input, weight, stride, padding, dilation, groups)
    if geometry and _fits(input, weight, bias, inputs=1):
        side = [smaller(whole, geometry) for whole in input.shape[2:]]
        turned = Geometry(1, geometry.kernel - 1 - geometry.padding, geometry.kernel)
        whole = len(input) > 0 and min(side) > 0 and turned.padding >= 0
        if whole and geometry.stride == 1 < geometry.kernel and folds(weight.shape[0], turned):
            back = weight.flip(2, 3).transpose(0, 1)  # the same sums, as the transpose of a convolution of few channels
            return Up.apply(*_cast(input, back, bias), tuple(side), turned)
        learns, dtype = torch.is_grad_enabled(), _dtype(input)
        faster = (
            (learns and input.requires_grad and folds(weight.shape[1], geometry))
            or (learns and weight.requires_grad and multiplies(dtype, side, geometry))
            or tiles(dtype, input.shape, weight.shape[0], geometry)
        )
        if faster:
            return Down.apply(*_cast(input, weight, bias), geometry)
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)


def convolve_back(
    input: Tensor, weight: Tensor, bias: Tensor | None = None,
    stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """Compute `torch.conv_transpose2d`, with faster kernels where it or its gradients have some."""
    geometry = _geometry(input, weight, stride, padding, dilation, groups)
    extra = output_padding if isinstance(output_padding, tuple | list) else (output_padding,) * 2
    plain = len(extra) == 2 and geometry is not None and max(extra) < geometry.stride
    if geometry and plain and _fits(input, weight, bias, inputs=0):
        learns, dtype = torch.is_grad_enabled() and weight.requires_grad, _dtype(input)
        faster = (
            folds(weight.shape[1], geometry)
            or (learns and multiplies(dtype, input.shape[2:], geometry))
            or tiles(dtype, input.shape, weight.shape[1], geometry)
        )
        if faster:
            side = tuple(transposed(part, geometry) + more for part, more in zip(input.shape[2:], extra, strict=True))
            return Up.apply(*_cast(input, weight, bias), side, geometry)
    return torch.conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Compute `torch.flatten`; the gradient of images keeps their memory layout, or the rest of backward is slow."""
    copied = input.ndim == 4 and start_dim == 1 and math.prod(input.shape[2:]) > 1  # not a view to be changed in place
    if copied and input.is_cpu and input.requires_grad and input.is_contiguous(memory_format=torch.channels_last):
        input = Layout.apply(input)
    return torch.flatten(input, start_dim, end_dim)


def unflatten(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Compute `Tensor.unflatten`; images become channels last."""
    y = x.unflatten(*args, **kwargs)
    return y.contiguous(memory_format=torch.channels_last) if x.is_cpu and x.ndim == 2 and y.ndim == 4 else y


class Layout(Function):
    """Images as they are; their gradient becomes channels last."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        """Return the same images."""
        return images.view_as(images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the same gradient, its channels innermost."""
        return gradients[0].contiguous(memory_format=torch.channels_last)


OWN: Mapping[Any, Callable[..., Tensor]] = {
    torch.conv2d: convolve,
    torch.conv_transpose2d: convolve_back,
    torch.flatten: flatten,
    Tensor.flatten: flatten,
    Tensor.unflatten: unflatten,
}


def _geometry(x: Tensor, w: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Geometry | None:
    """Return the geometry; None if both directions differ, or it is dilated or grouped, or x is not on a CPU."""
    if isinstance(padding, str) or not x.is_cpu or x.ndim != 4 or groups != 1:
        return None
    pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in (stride, padding, w.shape[2:], dilation)]
    if any(len(one) != 2 or one[0] != one[1] for one in pairs) or pairs[3] != (1, 1):
        return None
    return Geometry(*(one[0] for one in pairs[:3]))


def _fits(x: Tensor, w: Tensor, b: Tensor | None, inputs: int) -> bool:
    """Whether PyTorch would take these; `inputs` is the dimension of the weights' input channels."""
    same = torch.is_autocast_enabled("cpu") or all(one.dtype == x.dtype for one in (w, b) if one is not None)
    outputs = w.shape[1 - inputs]
    return same and x.shape[1] == w.shape[inputs] and (b is None or b.shape == (outputs,))


def _dtype(x: Tensor) -> torch.dtype:
    """Return what a convolution computes in here."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _cast(x: Tensor, w: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Cast as autocast does, which leaves functions like ours alone."""
    dtype = _dtype(x)
    return x.to(dtype), w.to(dtype), None if b is None else b.to(dtype)
