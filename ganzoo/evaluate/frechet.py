"""The Fréchet distance between Gaussians (Dowson & Landau 1982), as the FID uses it (Heusel et al. 2017, equation 6).

    d^2 = |mu_1 - mu_2|^2 + tr(Sigma_1) + tr(Sigma_2) - 2 tr((Sigma_1 Sigma_2)^(1/2))

Sigma_1 Sigma_2 has the eigenvalues of the symmetric positive semi-definite R Sigma_2 R with R = Sigma_1^(1/2), so that
two symmetric eigenproblems give the trace: no general matrix square root, and nothing to add to the diagonal where a
covariance is singular.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ganzoo.evaluate.moments import Moments, moments


def frechet_distance(one: Moments, two: Moments) -> float:
    """Return the squared distance d^2 between two Gaussians, in float64."""
    root = _root(one.covariance)
    eigenvalues = np.maximum(linalg.eigvalsh(root @ two.covariance @ root), 0)  # rounding can leave -1e-16
    return _assemble(one, two, float(np.sum(np.sqrt(eigenvalues))))


def frechet_distance_of_features(one: np.ndarray, two: np.ndarray) -> float:
    """Return the squared distance between the Gaussians of two sets of features, of shapes (N, D) and (M, D).

    Where both sets are smaller than D the covariances are singular and the trace is the nuclear norm of the small
    N x M matrix A B^T / sqrt((N - 1)(M - 1)), A and B being the centred features.
    """
    first, second = moments(one), moments(two)
    if max(len(one), len(two)) >= one.shape[1]:
        return frechet_distance(first, second)
    centred = (one.astype(np.float64) - first.mean) @ (two.astype(np.float64) - second.mean).T
    scale = np.sqrt((len(one) - 1) * (len(two) - 1))
    return _assemble(first, second, float(np.sum(linalg.svdvals(centred)) / scale))


def _assemble(one: Moments, two: Moments, trace_of_root: float) -> float:
    shift = one.mean - two.mean
    distance = shift @ shift + np.trace(one.covariance) + np.trace(two.covariance) - 2 * trace_of_root
    return max(float(distance), 0.0)  # rounding can leave -1e-12 where the sets are equal


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return the symmetric square root of a positive semi-definite matrix."""
    values, vectors = linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
