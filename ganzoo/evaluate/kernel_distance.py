"""The kernel distance (KID, for Inception features): unbiased squared MMD, cubic kernel (Bińkowski et al. 2018)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SUBSETS = 100
SIZE = 1000
"""Samples per subset, as in Bińkowski et al.'s code; 100 subsets of 1,000 are the published convention."""


def kernel_distance(
    one: np.ndarray,
    two: np.ndarray,
    subsets: int = SUBSETS,
    size: int = SIZE,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> tuple[float, float]:
    """Return the mean and standard deviation over subsets of the unbiased squared MMD, in float64.

    If neither set is larger than a subset, they are compared once, whole, and the order of the samples matters only
    to rounding. Otherwise the order and the seed decide which samples share a subset. Only two subsets and their
    kernel matrices are in float64 at a time.

    Args:
        one: features of shape (N, D).
        two: features of shape (M, D).
        subsets: how often to draw samples of both sets, without replacement within a subset.
        size: samples per subset; N or M if that is less.
        seed: of the subsets.
        device: where the kernels are computed; it must know float64.

    Returns:
        The mean, which is below zero about every second time the sets come from one distribution, and the standard
        deviation (divided by the number of subsets, as in torch-fidelity and torchmetrics).

    Raises:
        ValueError: fewer than two samples.
    """
    size = min(size, len(one), len(two))
    if size < 2:
        raise ValueError(f"the kernel distance needs at least two samples of each set, not {len(one)} and {len(two)}")
    if size == len(one) == len(two):
        subsets = 1
    rng = np.random.default_rng(seed)
    distances = [squared_mmd(_draw(one, size, rng, device), _draw(two, size, rng, device)) for _ in range(subsets)]
    return float(np.mean(distances)), float(np.std(distances))


def squared_mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate of MMD^2 from samples of shapes (m, D) and (n, D) (Gretton et al. 2012, equation 3).

    The kernel is k(x, y) = (x.y / D + 1)^3 (Bińkowski et al. 2018, arXiv:1801.01401).
    """
    return (_mean_within(x) + _mean_within(y) - 2 * _kernel(x, y).mean()).item()


def _mean_within(x: Tensor) -> Tensor:
    """Return the mean of k(x_i, x_j) over i != j, of samples of shape (m, D)."""
    kernel = _kernel(x, x)
    return (kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return k of all pairs, of shape (m, n)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def _draw(features: np.ndarray, size: int, rng: np.random.Generator, device: torch.device | str) -> Tensor:
    """Return `size` random rows in float64."""
    rows = rng.choice(len(features), size, replace=False, shuffle=False)
    return torch.from_numpy(features[rows]).to(device).double()
