"""Mode coverage: how many classes a generator finds and how evenly (Srivastava et al. 2017; Lin et al. 2018)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr
from scipy.stats import binom


class ModeCoverage(NamedTuple):
    """The two columns of the StackedMNIST tables of VEEGAN (arXiv:1705.07761) and PacGAN (arXiv:1712.04086)."""

    found: float
    """Number of classes with at least one sample."""
    kl: float
    """KL(histogram of the samples' classes || uniform) in nats: 0 is even, log(number of classes) is one class."""


def modes(classes: np.ndarray, count: int) -> ModeCoverage:
    """Return the coverage of `count` modes by samples of these classes.

    Without any sample there is no histogram: no mode is found, and the divergence is its largest value.

    Args:
        classes: integers of shape (N,) in [0, count).
        count: modes that there are, K.

    Raises:
        ValueError: a class outside of [0, count).
    """
    if len(classes) == 0:
        return ModeCoverage(0.0, float(np.log(count)))
    if classes.min() < 0 or classes.max() >= count:
        raise ValueError(f"classes from {classes.min()} to {classes.max()} are not all in [0, {count})")
    histogram = np.bincount(classes, minlength=count) / len(classes)
    return ModeCoverage(float(np.count_nonzero(histogram)), float(rel_entr(histogram, 1 / count).sum()))


def uniform_baseline(samples: int, count: int) -> ModeCoverage:
    """Return the coverage that N independent samples of the uniform distribution over K modes have on average.

    It is what a perfect generator scores: E[found] = K (1 - (1 - 1/K)^N), and E[KL] = K E[X/N log(K X/N)] with X the
    binomial number of samples in a mode; close to (K - 1) / (2 N) where N is many times K.

    Args:
        samples: N, at least 1.
        count: K, at least 1.
    """
    in_mode = np.arange(samples + 1)
    share = binom.pmf(in_mode, samples, 1 / count)
    found = count * (1 - (1 - 1 / count) ** samples)
    return ModeCoverage(found, float(count * (share @ rel_entr(in_mode / samples, 1 / count))))
