"""Precision, recall, density and coverage: what nearest neighbours say of fidelity and of variety.

Kynkäänniemi et al. 2019 (arXiv:1904.06991) take the balls around the samples of a set, each as wide as the distance
to its k-th nearest neighbour, for the set's manifold. Precision is the share of fakes on the real manifold, recall the
share of reals on the fake one. Naeem et al. 2020 (arXiv:2002.09797) count instead of asking whether: density is the
mean number of real balls that a fake is in, over k; coverage is the share of real balls with a fake in them. A ball is
open (distance < radius), and no sample is its own neighbour.

All distances come from one matrix product, |x|^2 + |y|^2 - 2 x.y, in float64. Where its rounding could decide a
comparison, the distance is taken again from the difference x - y. So the scores are those of plain differences, to the
last sample, also where fakes are copies of reals, many times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

K = 5
"""Neighbours, as Naeem et al. 2020 choose; Kynkäänniemi et al. 2019 take 3."""
CELLS = 1 << 23
"""Distances in memory at once, 64 MiB of float64; does not change a score."""
EPSILON = torch.finfo(torch.float64).eps


class Manifold(NamedTuple):
    """Shares in [0, 1], but for the density, which can exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifold(
    real: np.ndarray,
    fake: np.ndarray,
    k: int = K,
    real_radii: np.ndarray | None = None,
    device: torch.device | str = "cpu",
) -> Manifold:
    """Return how the fakes lie on the manifold of the reals, and the reals on that of the fakes.

    Args:
        real: features of shape (N, D), N more than k.
        fake: features of shape (M, D), M more than k.
        k: which nearest neighbour is a ball's radius.
        real_radii: `squared_radii(real, k)`, where it is known already.
        device: where the matrix products are computed; it must know float64.

    Raises:
        ValueError: a set has at most k samples, or a feature is not finite.
    """
    of_real = squared_radii(real, k, device) if real_radii is None else real_radii
    of_fake = squared_radii(fake, k, device)
    in_balls = np.zeros(len(fake), int)
    covered = np.zeros(len(real), bool)
    recalled = np.zeros(len(real), bool)
    for block in _blocks(fake, real, device):
        in_real = _closer(block, fake, real, of_real)  # (b, N): is the fake in the real's ball?
        in_fake = _closer(block, fake, real, of_fake[block.rows, None])  # (b, N): is the real in the fake's ball?
        in_balls[block.rows] = in_real.sum(1)
        covered |= in_real.any(0)
        recalled |= in_fake.any(0)
    scores = (in_balls > 0).mean(), recalled.mean(), in_balls.mean() / k, covered.mean()
    return Manifold(*map(float, scores))


def squared_radii(features: np.ndarray, k: int = K, device: torch.device | str = "cpu") -> np.ndarray:
    """Return the squared distance of each sample to its k-th nearest other one, float64 of shape (N,).

    Raises:
        ValueError: at most k samples, or a feature is not finite.
    """
    if len(features) <= k:
        raise ValueError(f"{len(features)} samples have no {k}-th nearest neighbours: at least {k + 1} are needed")
    return np.concatenate([_radii(block, features, k) for block in _blocks(features, features, device)])


@dataclass(frozen=True)
class _Block:
    """Squared distances of a block of samples x to all samples y, as a matrix product gives them."""

    rows: np.ndarray
    """(b,) indices of the samples x."""
    squared: Tensor
    """(b, M)"""
    slack: Tensor
    """(b, M), more than rounding can have added or taken away."""


def _blocks(x: np.ndarray, y: np.ndarray, device: torch.device | str) -> Iterator[_Block]:
    """Yield blocks of x, of shape (N, D), against y, of shape (M, D).

    Both are centred on y first, since rounding is in proportion to |x|^2 + |y|^2: a product of D terms is off by at
    most D epsilon |x||y| / 2, which makes (D + 6) epsilon / 2 (|x|^2 + |y|^2) with the norms, the sums and the
    centring. The slack is four times as much.
    """
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features that are infinite or not a number have no neighbours")
    centre = torch.tensor(y.mean(0, dtype=np.float64), device=device)
    second = torch.tensor(y, dtype=torch.float64, device=device) - centre
    norms = second.square().sum(1)
    for rows in np.split(np.arange(len(x)), range(0, len(x), max(1, CELLS // len(y)))[1:]):
        first = torch.tensor(x[rows], dtype=torch.float64, device=device) - centre
        total = first.square().sum(1, keepdim=True) + norms  # (b, 1) + (M,) -> (b, M)
        squared = torch.addmm(total, first, second.T, alpha=-2)
        yield _Block(rows, squared, total.mul_(2 * (x.shape[1] + 6) * EPSILON))


def _closer(block: _Block, x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return which pairs are closer than a squared radius, bool of shape (b, M); the radii broadcast to that."""
    gap = block.squared - torch.tensor(radii, device=block.squared.device)
    closer = (gap < 0).cpu().numpy()
    i, j = (gap.abs() <= block.slack).nonzero().T.cpu().numpy()
    closer[i, j] = _squared_distances(x, y, block.rows[i], j) < np.broadcast_to(radii, closer.shape)[i, j]
    return closer


def _radii(block: _Block, x: np.ndarray, k: int) -> np.ndarray:
    """Return the squared distances of a block's samples to their k-th nearest neighbours in x, of shape (b,)."""
    block.squared[range(len(block.rows)), block.rows] = torch.inf  # no sample is its own neighbour
    nearest = block.squared.topk(k, largest=False).indices.cpu().numpy()  # (b, k)
    found = _squared_distances(x, x, block.rows.repeat(k), nearest.ravel()).reshape(-1, k).max(1)
    # Samples that rounding may have kept out: those that could be closer than the farthest of the k, unless that is 0.
    rivals = block.squared - block.slack < torch.tensor(found[:, None], device=block.squared.device)
    for i in np.flatnonzero((rivals.sum(1).cpu().numpy() > k) & (found > 0)):
        near = rivals[i].nonzero().flatten().cpu().numpy()
        found[i] = np.partition(_squared_distances(x, x, block.rows[i].repeat(len(near)), near), k - 1)[k - 1]
    return found


def _squared_distances(x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return |x_i - y_j|^2 of pairs of indices of shape (P,), in float64.

    A pair has the same bits in every call, so that `<` between a distance and a radius is true to the features.
    """
    parts = max(1, len(i) * x.shape[1] // CELLS)
    squared = [
        np.square(np.subtract(x[a], y[b], dtype=np.float64, order="C")).sum(1)
        for a, b in zip(np.array_split(i, parts), np.array_split(j, parts), strict=True)
    ]
    return np.concatenate(squared)
