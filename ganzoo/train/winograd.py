"""Convolutions of 3x3, stride 1 and padding 1 with a quarter of the products: minimal filtering, F(4x4, 3x3).

An image falls into tiles of 6x6 that overlap by two, each of which gives 4x4 results (Winograd 1980; Lavin & Gray 2016,
"Fast Algorithms for Convolutional Neural Networks", section 4): with data d and weights g

    Y = A^T [(G g G^T) * (B^T d B)] A,

where * goes place by place, so that the channels are summed by 36 matrix products. In float32 the root mean square
error is some five times that of direct sums: 2e-6 of the results.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

POINTS = (0.0, 1.0, -1.0, 0.5, -0.5)
"""Where polynomials are evaluated, beside infinity."""
TAPS = 3
SIDE = 4
"""The side of what a tile gives."""
TILE = SIDE + TAPS - 1
PORTION = 64
"""Tiles that a thread computes at a time: few enough for a core's cache, and enough for the products."""
CHANNELS = 128
"""Least number of input and output channels at which the saved products outweigh the moved data."""


class Maps(NamedTuple):
    """The three linear maps of one dimension (Toom-Cook), which multiply polynomials by their values at six points.

    The transpose of that product is a correlation. Rows are scaled so that the largest entry of the data's map is 1.
    """

    data: Tensor  # B^T (6, 6)
    weights: Tensor  # G (6, 3)
    results: Tensor  # A^T (4, 6)


@functools.cache
def maps(dtype: torch.dtype) -> Maps:
    """Return the maps, in a type of numbers."""

    def values(count: int) -> np.ndarray:
        """Return the map from a polynomial's coefficients, so many, to its values; at infinity that is the last."""
        return np.vstack([np.vander(POINTS, count, increasing=True), np.eye(count)[-1]])

    data, weights = np.linalg.inv(values(TILE)).T, values(TAPS)
    scale = np.abs(data).max(1, keepdims=True)
    found = (data / scale, weights * scale, values(SIDE).T)
    return Maps(*(torch.tensor(one, dtype=dtype, device="cpu") for one in found))


def pays(images: Sequence[int], outputs: int, dtype: torch.dtype) -> bool:
    """Whether a convolution of (N, C, H, W) to `outputs` channels is faster here, and so are its gradients."""
    n, c, height, width = images
    tiles = height * width // SIDE**2
    whole = height % SIDE == width % SIDE == 0 < tiles <= PORTION
    enough = min(c, outputs) >= CHANNELS and 4 * n * tiles >= max(c, outputs)
    return whole and enough and dtype in (torch.float32, torch.float64)


def correlate(images: Tensor, w: Tensor) -> Tensor:
    """Convolve: images (N, C, H, W), weights (D, C, 3, 3) -> (N, D, H, W)."""
    by, (d, c), (high, wide) = maps(images.dtype), w.shape[:2], _tiles(images)
    factors = _twice(by.weights, w.permute(2, 3, 0, 1)).view(-1, d, c).transpose(1, 2)  # (36, C, D)
    results = images.new_empty(len(images), high, SIDE, wide, SIDE, d)
    for some, place in zip(*(_portions(one, high * wide) for one in (images, results)), strict=True):
        products = _transform(some) @ factors  # (36, T, C) @ (36, C, D)
        tiles = _twice(by.results, products.view(TILE, TILE, len(some), high, wide, d))
        place.copy_(tiles.permute(2, 3, 0, 4, 1, 5))
    return results.view(len(images), high * SIDE, wide * SIDE, d).permute(0, 3, 1, 2)


def correlate_back(results: Tensor, w: Tensor) -> Tensor:
    """Do the transpose: (N, D, H, W), weights (D, C, 3, 3) -> (N, C, H, W)."""
    return correlate(results, w.flip(2, 3).transpose(0, 1))


def weigh(gradient: Tensor, images: Tensor) -> Tensor:
    """Return the gradient of the weights: (N, D, H, W), (N, C, H, W) -> (D, C, 3, 3)."""
    by, c, d, (high, wide) = maps(images.dtype), images.shape[1], gradient.shape[1], _tiles(images)
    total = images.new_zeros(TILE**2, d, c)
    for results, some in zip(*(_portions(one, high * wide) for one in (gradient, images)), strict=True):
        tiles = results.permute(0, 2, 3, 1).reshape(len(some), high, SIDE, wide, SIDE, d).permute(2, 4, 0, 1, 3, 5)
        products = _twice(by.results.T, tiles).view(TILE**2, -1, d)
        total.baddbmm_(products.transpose(1, 2), _transform(some))  # (36, D, T) @ (36, T, C)
    return _twice(by.weights.T, total.view(TILE, TILE, d, c)).permute(2, 3, 0, 1)


def _transform(images: Tensor) -> Tensor:
    """Return B^T d B of each tile and channel: (N, C, H, W) -> (36, T, C)."""
    (n, c, height, width), (high, wide) = images.shape, _tiles(images)
    padded = images.new_zeros(n, height + 2, width + 2, c)
    padded[:, 1:-1, 1:-1] = images.permute(0, 2, 3, 1)
    image, row, column, _ = padded.stride()
    seen = padded.as_strided((TILE, TILE, n, high, wide, c), (row, column, image, SIDE * row, SIDE * column, 1))
    return _twice(maps(images.dtype).data, seen).view(TILE**2, -1, c)


def _twice(by: Tensor, tiles: Tensor) -> Tensor:
    """Apply a map (j, k) to both dimensions of a tile: (k, k, ...) -> (j, j, ...)."""
    j, k = by.shape
    rows = by @ tiles.reshape(k, -1)  # (j, k, ...)
    return (by @ rows.view(j, k, -1)).view(j, j, *tiles.shape[2:])


def _tiles(images: Tensor) -> tuple[int, int]:
    """Return how many tiles an image has, one below the other and side by side."""
    return images.shape[2] // SIDE, images.shape[3] // SIDE


def _portions(images: Tensor, tiles: int) -> tuple[Tensor, ...]:
    """Return the images in portions, where each has so many tiles."""
    return images.split(max(1, PORTION * torch.get_num_threads() // tiles))
