"""The Inception network of pytorch-fid, rearranged to run fast: the same function, fewer passes over memory.

Three identities, each exact but for float32 rounding, which stays below 1e-6 of the features:

- a batch norm in eval mode is affine and folds into the convolution before it; that is done in float64;
- a 1x1 convolution commutes with an average over positions that leaves out the padding (the average of a constant is
  that constant, so the bias may come before it too), and there are fewer channels after it to average;
- ReLU commutes with a maximum over positions, and there are fewer positions after it.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.inception import BasicConv2d, Inception3

from ganzoo.zoo.extractors.folding import folded


class Branches(nn.ModuleList):
    """Several ways through one block, side by side in its output."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__(branches)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to all branches' channels: (N, C_1 + C_2 + ..., H', W')."""
        return torch.cat([branch(images) for branch in self], 1)


def fused(network: Inception3) -> nn.Sequential:
    """Return the part of the network that ends in the pooled features: (N, 3, 299, 299) -> (N, 2048).

    `network` is pytorch-fid's in eval mode; it is left as it was.
    """
    return nn.Sequential(
        _conv(network, "Conv2d_1a_3x3", "Conv2d_2a_3x3"),
        _conv_and_maximum(network, "Conv2d_2b_3x3"),  # (N, 64, 73, 73)
        _conv(network, "Conv2d_3b_1x1"),
        _conv_and_maximum(network, "Conv2d_4a_3x3"),  # (N, 192, 35, 35)
        *(_block_a(network.get_submodule(name)) for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d")),
        _block_b(network.Mixed_6a),  # (N, 768, 17, 17)
        *(_block_c(network.get_submodule(name)) for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")),
        _block_d(network.Mixed_7a),  # (N, 1280, 8, 8)
        _block_e(network.Mixed_7b, _average_and_conv(network.Mixed_7b)),  # (N, 2048, 8, 8)
        _block_e(network.Mixed_7c, nn.Sequential(nn.MaxPool2d(3, 1, 1), _conv(network.Mixed_7c, "branch_pool"))),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),  # (N, 2048, 1, 1) -> (N, 2048)
    )


def _block_a(block: nn.Module) -> Branches:
    return Branches(
        _conv(block, "branch1x1"),
        _conv(block, "branch5x5_1", "branch5x5_2"),
        _conv(block, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        _average_and_conv(block),
    )


def _block_b(block: nn.Module) -> Branches:
    return Branches(
        _conv(block, "branch3x3"),
        _conv(block, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        nn.MaxPool2d(3, 2),
    )


def _block_c(block: nn.Module) -> Branches:
    return Branches(
        _conv(block, "branch1x1"),
        _conv(block, *(f"branch7x7_{number}" for number in (1, 2, 3))),
        _conv(block, *(f"branch7x7dbl_{number}" for number in (1, 2, 3, 4, 5))),
        _average_and_conv(block),
    )


def _block_d(block: nn.Module) -> Branches:
    return Branches(
        _conv(block, "branch3x3_1", "branch3x3_2"),
        _conv(block, *(f"branch7x7x3_{number}" for number in (1, 2, 3, 4))),
        nn.MaxPool2d(3, 2),
    )


def _block_e(block: nn.Module, pooled: nn.Module) -> Branches:
    once, twice = ("branch3x3_2a", "branch3x3_2b"), ("branch3x3dbl_3a", "branch3x3dbl_3b")
    return Branches(
        _conv(block, "branch1x1"),
        nn.Sequential(_conv(block, "branch3x3_1"), Branches(*(_conv(block, name) for name in once))),
        nn.Sequential(
            _conv(block, "branch3x3dbl_1", "branch3x3dbl_2"), Branches(*(_conv(block, name) for name in twice))
        ),
        pooled,
    )


def _conv(block: nn.Module, *names: str) -> nn.Sequential:
    """Return a block's convolutions of these names one after the other, each with its ReLU."""
    return nn.Sequential(*(part for name in names for part in (_folded(block, name), nn.ReLU(inplace=True))))


def _average_and_conv(block: nn.Module) -> nn.Sequential:
    """Return the average over 3x3 positions, without the padding, and the 1x1 convolution after it, in other order."""
    average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Sequential(_folded(block, "branch_pool"), average, nn.ReLU(inplace=True))


def _conv_and_maximum(block: nn.Module, name: str) -> nn.Sequential:
    """Return a convolution and the maximum over 3x3 positions after its ReLU, in other order."""
    return nn.Sequential(_folded(block, name), nn.MaxPool2d(3, 2), nn.ReLU(inplace=True))


def _folded(block: nn.Module, name: str) -> nn.Conv2d:
    """Return a convolution with its batch norm inside."""
    layer = cast(BasicConv2d, block.get_submodule(name))
    return folded(layer.conv, layer.bn)
