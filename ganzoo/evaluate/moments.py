"""Mean and covariance of features, accumulated batch by batch in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

ROWS = 4096
"""Samples that are in float64 at once; does not change the moments beyond rounding."""


@dataclass(frozen=True)
class Moments:
    """What a Fréchet distance needs of a set of features."""

    mean: np.ndarray
    """float64 of shape (D,)."""
    covariance: np.ndarray
    """float64 of shape (D, D), unbiased (divided by N - 1)."""
    count: int
    """N; the covariance has at most rank N - 1, which the distance relies on."""
    root: np.ndarray | None = None
    """R of shape (D, r) with R R^T = covariance, for many distances to these moments; `frechet.with_root` adds it."""


class MomentAccumulator:
    """Accumulates on the features' device; memory does not grow with the number of samples.

    Batches are merged by their means and centred products (Chan, Golub & LeVeque 1983), which stays exact where the
    mean is large compared with the spread.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean = torch.empty(0)
        self._products = torch.empty(0)

    def add(self, features: Tensor) -> None:
        """Add a batch of shape (N, D)."""
        features = features.double()
        count, mean = len(features), features.mean(0)
        centred = features - mean
        products = centred.T @ centred
        if not self.count:
            self.count, self._mean, self._products = count, mean, products
            return
        total = self.count + count
        shift = mean - self._mean
        self._products += products + torch.outer(shift, shift) * (self.count * count / total)
        self._mean += shift * (count / total)
        self.count = total

    def result(self) -> Moments:
        """Return the moments of all that was added.

        Raises:
            ValueError: fewer than two samples, which have no covariance.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two samples, not {self.count}")
        covariance = self._products / (self.count - 1)
        return Moments(self._mean.cpu().numpy(), covariance.cpu().numpy(), self.count)


def moments(features: np.ndarray | Tensor) -> Moments:
    """Return the moments of features of shape (N, D), N at least two."""
    accumulator = MomentAccumulator()
    for part in torch.as_tensor(features).split(ROWS):
        accumulator.add(part)
    return accumulator.result()


def merge(one: Moments, two: Moments) -> Moments:
    """Return the moments of two sets together, by the same formula."""
    count = one.count + two.count
    shift = two.mean - one.mean
    products = one.covariance * (one.count - 1) + two.covariance * (two.count - 1)
    products += np.outer(shift, shift) * (one.count * two.count / count)
    return Moments(one.mean + shift * (two.count / count), products / (count - 1), count)
