"""Mean and covariance of features, accumulated batch by batch in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """What a Fréchet distance needs of a set of features."""

    mean: np.ndarray
    """float64 of shape (D,)."""
    covariance: np.ndarray
    """float64 of shape (D, D), unbiased (divided by N - 1)."""
    count: int


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
        """Return the moments of all that was added; at least two samples are needed."""
        covariance = self._products / (self.count - 1)
        return Moments(self._mean.cpu().numpy(), covariance.cpu().numpy(), self.count)


def moments(features: np.ndarray | Tensor) -> Moments:
    """Return the moments of features of shape (N, D)."""
    accumulator = MomentAccumulator()
    accumulator.add(torch.as_tensor(features))
    return accumulator.result()
