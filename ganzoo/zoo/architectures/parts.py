"""What the built-in architectures share: norms, classes beside z or in a norm, convolutions, first weights, a head."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Weighted = TypeVar("Weighted", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def norm_2d(name: str, channels: int) -> nn.Module:
    """Return a norm over (N, channels, H, W): batch, layer (over C, H and W), instance or none."""
    if name == "batch":
        return nn.BatchNorm2d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels)  # one group: the statistics of a whole sample, an affine pair a channel
    if name == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def norm_1d(name: str, width: int, momentum: float = 0.1) -> nn.Module:
    """Return a norm over (N, width): batch (its momentum as PyTorch counts it), layer or none."""
    if name == "batch":
        return nn.BatchNorm1d(width, momentum=momentum)
    return nn.LayerNorm(width) if name == "layer" else nn.Identity()


class ConditionalBatchNorm(nn.Module):
    """Batch norm with an affine pair for each class (Dumoulin et al. 2017); plain batch norm where classes is 0.

    The pairs start at 1 and 0, as in the release of Miyato & Koyama 2018. They are no embedding layers, as they are
    biases and not weights: spectral norm of the generator leaves them alone, as in SAGAN's release.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.gain = nn.Parameter(torch.ones(classes, channels)) if classes else None
        self.shift = nn.Parameter(torch.zeros(classes, channels)) if classes else None

    def forward(self, h: Tensor, y: Tensor | None) -> Tensor:
        """Normalise (N, channels, H, W), for the classes (N,)."""
        h = self.norm(h)
        if self.gain is None or self.shift is None or y is None:
            return h
        gain, shift = (F.embedding(y, pairs)[:, :, None, None] for pairs in (self.gain, self.shift))
        return gain * h + shift  # (N, channels, 1, 1) * (N, channels, H, W)


def class_vectors(classes: int, latent: int) -> nn.Embedding | None:
    """Return a learned vector for each class, as long as z; None where classes is 0."""
    return nn.Embedding(classes, latent) if classes else None


def with_class(z: Tensor, y: Tensor | None, vectors: nn.Embedding | None) -> Tensor:
    """Put the vectors of the classes (N,) behind z: (N, latent) -> (N, 2 latent), or z itself without classes."""
    return z if vectors is None or y is None else torch.cat([z, vectors(y)], 1)


def glorot(layer: Weighted, gain: float = 1.0) -> Weighted:
    """Draw a layer's weights uniformly, with variance 2 gain^2 / (fan in + fan out), set its biases to 0; return it."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class HalvingConv2d(nn.Conv2d):
    """A 3x3 convolution, then averages of 2x2 pixels: as one 4x4 convolution of stride 2, with 16 products for 36.

    The `fused_scale` of ProGAN's release (Karras et al. 2018); the same sums, but for rounding.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, before, h, w) to (N, after, h // 2, w // 2)."""
        return F.conv2d(input, _four_times(self.weight) / 4, self.bias, stride=2, padding=1)


class DoublingConv2d(nn.Conv2d):
    """Pixels repeated to twice the side, then a 3x3 convolution: as one transposed 4x4 convolution of stride 2."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, before, h, w) to (N, after, 2h, 2w)."""
        back = self.weight.flip(2, 3).transpose(0, 1)  # (after, before, 3, 3) -> (before, after, 3, 3)
        return F.conv_transpose2d(input, _four_times(back), self.bias, stride=2, padding=1)


def _four_times(kernel: Tensor) -> Tensor:
    """Add a kernel up at four places, a pixel to the right, below and both: (..., 3, 3) -> (..., 4, 4)."""
    rows = F.pad(kernel, (0, 0, 0, 1)) + F.pad(kernel, (0, 0, 1, 0))
    return F.pad(rows, (0, 1)) + F.pad(rows, (1, 0))


class Head(nn.Module):
    """Features to logits: one linear layer. How a discriminator learns of classes is a trick's business."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, features) to (N,) logits."""
        return self.linear(features).squeeze(1)  # (N, 1) -> (N,)
