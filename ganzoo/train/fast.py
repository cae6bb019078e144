"""What the fast mode does in its own way on a CPU: some functions of PyTorch, by other kernels or in another layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from ganzoo.train.convolution import Down, Place, Up, folds, multiplies, smaller, transposed


class Fast(TorchFunctionMode):
    """While it lasts, networks of any author have the fast mode's functions; what they compute differs by rounding."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Carry a function out."""
        return OWN.get(func, func)(*args, **(kwargs or {}))


def convolve(
    x: Tensor, w: Tensor, b: Tensor | None = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Do as `torch.conv2d` does, where its gradients have faster kernels."""
    place = _place(x, w, stride, padding, dilation, groups)
    if place and torch.is_grad_enabled():
        side = [smaller(whole, place) for whole in x.shape[2:]]
        faster = (x.requires_grad and folds(w.shape[1], place)) or (
            w.requires_grad and multiplies(_dtype(x), side, place)
        )
        if faster:
            return Down.apply(*_cast(x, w, b), place)
    return torch.conv2d(x, w, b, stride, padding, dilation, groups)


def convolve_back(
    x: Tensor, w: Tensor, b: Tensor | None = None,
    stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """Do as `torch.conv_transpose2d` does, where it or its gradients have faster kernels."""
    place = _place(x, w, stride, padding, dilation, groups)
    if place:
        extra = output_padding if isinstance(output_padding, tuple | list) else (output_padding,) * 2
        learns = torch.is_grad_enabled() and w.requires_grad
        if folds(w.shape[1], place) or (learns and multiplies(_dtype(x), x.shape[2:], place)):
            side = tuple(transposed(part, place) + more for part, more in zip(x.shape[2:], extra, strict=True))
            return Up.apply(*_cast(x, w, b), side, place)
    return torch.conv_transpose2d(x, w, b, stride, padding, output_padding, groups, dilation)


def flatten(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Do as `torch.flatten` does; the gradient of images has the images' layout, as else all behind it is slow."""
    if x.is_cpu and x.requires_grad and x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        x = Layout.apply(x)
    return torch.flatten(x, *args, **kwargs)


def unflatten(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Do as `Tensor.unflatten` does; images become channels last."""
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


def _place(x: Tensor, w: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> Place | None:
    """Return where the kernel is put; None where it is not square or not put plainly, or not on a CPU."""
    if isinstance(padding, str) or not x.is_cpu or x.ndim != 4 or groups != 1:
        return None
    pairs = [(one, one) if isinstance(one, int) else tuple(one) for one in (stride, padding, w.shape[2:], dilation)]
    if any(len(one) != 2 or one[0] != one[1] for one in pairs) or pairs[3] != (1, 1):
        return None
    return Place(*(one[0] for one in pairs[:3]))


def _dtype(x: Tensor) -> torch.dtype:
    """Return what a convolution computes in here."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _cast(x: Tensor, w: Tensor, b: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Do as autocasting does, which a function of one's own is not subject to."""
    dtype = _dtype(x)
    return x.to(dtype), w.to(dtype), None if b is None else b.to(dtype)
