"""Bilinear resizing as TensorFlow 1 did it, before it knew of half-pixel centres.

`tf.image.resize_bilinear(images, size, align_corners=False)` read output pixel i at source coordinate i * in / out
(tensorflow/core/kernels/image_resizer_state.h and resize_bilinear_op.cc, r1.13); PyTorch reads it at
(i + 0.5) * in / out - 0.5. The first FID code (Heusel et al. 2017, github.com/bioinf-jku/TTUR) resized this way.
"""

from __future__ import annotations

import torch
from torch import Tensor


def resize_bilinear(images: Tensor, size: int) -> Tensor:
    """Resize float32 images of shape (N, C, H, W) to (N, C, size, size), in float32 as TensorFlow's CPU kernel did.

    Enlarging and reducing alike take two neighbours in each direction: there is no antialiasing.
    """
    return _lerp(_lerp(images, 3, size), 2, size)  # the columns first: the kernel's order of rounding


def _lerp(images: Tensor, axis: int, size: int) -> Tensor:
    """Interpolate along one axis, to `size` pixels."""
    old = images.shape[axis]
    scale = torch.tensor(old / size, dtype=torch.float32, device=images.device)  # the kernel's own precision
    position = torch.arange(size, dtype=torch.float32, device=images.device) * scale
    lower = position.long()
    upper = (lower + 1).clamp_max(old - 1)
    weight = (position - lower).reshape([size if dimension == axis else 1 for dimension in range(4)])
    below = images.index_select(axis, lower)
    return below + (images.index_select(axis, upper) - below) * weight
