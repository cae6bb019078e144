"""The Fréchet distance between Gaussians (Dowson & Landau 1982), as the FID uses it (Heusel et al. 2017, equation 6).

    d^2 = |mu_1 - mu_2|^2 + tr(Sigma_1) + tr(Sigma_2) - 2 tr((Sigma_1 Sigma_2)^(1/2))

Sigma_1 Sigma_2 has the eigenvalues of the symmetric positive semi-definite R^T Sigma_2 R for every R with
R R^T = Sigma_1, so that a Cholesky factor and one symmetric eigenproblem give the trace: no general matrix square root,
and nothing to add to the diagonal where a covariance is singular.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import linalg

from ganzoo.evaluate.moments import Moments, moments

SIZES = 15
"""Subset sizes that the extrapolation regresses on, as in Chong & Forsyth's code."""


def frechet_distance(one: Moments, two: Moments) -> float:
    """Return the squared distance d^2 between two Gaussians, in float64.

    A root that either carries saves factorising it again and changes nothing but rounding.

    Raises:
        ValueError: a moment is not finite.
    """
    rooted, other = (one, two) if _before(one, two) else (two, one)
    root = _root(rooted) if rooted.root is None else rooted.root
    product = root.T @ other.covariance @ root  # (r, D) (D, D) (D, r) -> (r, r)
    # The product's rank is at most that of either covariance; eigenvalues beyond it are rounding, whose square roots
    # would add up to 1e-8 of the trace.
    rank = min(len(product), other.count - 1)
    eigenvalues = linalg.eigvalsh(product)[len(product) - rank :] if rank else np.zeros(0)
    trace_of_root = np.sum(np.sqrt(np.maximum(eigenvalues, 0)))  # rounding can leave -1e-16
    shift = one.mean - two.mean
    distance = shift @ shift + np.trace(one.covariance) + np.trace(two.covariance) - 2 * trace_of_root
    return max(float(distance), 0.0)  # rounding can leave -1e-12 where the sets are equal


def with_root(moments: Moments) -> Moments:
    """Return the same moments with a root, for a reference that many distances are taken to."""
    return dataclasses.replace(moments, root=_root(moments))


def frechet_distance_infinity(features: np.ndarray, reference: Moments, seed: int = 0) -> float:
    """Return the squared distance extrapolated to infinitely many samples (Chong & Forsyth 2020, arXiv:1911.07023).

    The distance of N samples is biased upwards by a constant over N, to first order, and the constant depends on the
    generator. So the distances of random subsets of 15 evenly spaced sizes are regressed on 1 / size, and the
    intercept is the answer. The largest subset is everything. The smallest is a tenth, as in the authors' code (5,000
    of 50,000), but 2 D or half of the samples where that is more: the bias is a constant over N only above D. What
    bias the reference has stays.

    Args:
        features: shape (N, D).
        reference: what they are compared with; its root is used where it has one.
        seed: of the subsets.

    Returns:
        An estimate without the first-order bias, which can fall below zero where the true distance is small.

    Raises:
        ValueError: fewer samples than `least_samples(D)`.
    """
    count, dimension = features.shape
    if count < least_samples(dimension):
        raise ValueError(
            f"{count} samples of {dimension} features are too few to extrapolate their distance to infinitely many: "
            f"at least {least_samples(dimension)} are needed"
        )
    reference = with_root(reference) if reference.root is None else reference
    rng = np.random.default_rng(seed)
    smallest = max(round(count / 10), min(2 * dimension, count // 2))
    sizes = np.linspace(smallest, count, SIZES).round().astype(int)
    subsets = (features[rng.choice(count, size, replace=False)] for size in sizes)
    distances = [frechet_distance(reference, moments(subset)) for subset in subsets]
    return float(np.polynomial.Polynomial.fit(1 / sizes, distances, 1)(0))


def least_samples(dimension: int) -> int:
    """Return how many samples of D features the extrapolation needs: half of them have a covariance of full rank."""
    return max(2 * (dimension + 1), 2 * SIZES)


def _before(one: Moments, two: Moments) -> bool:
    """Return whether the first covariance is the one to factorise: it has a root already, or a smaller one."""
    if (one.root is None) != (two.root is None):
        return one.root is not None
    return one.count <= two.count


def _root(moments: Moments) -> np.ndarray:
    """Return R of shape (D, r) with R R^T = covariance, by Cholesky factorisation with complete pivoting.

    It needs a third of the time of an eigendecomposition, and its error is relative to each variance, while that of
    eigenvalues is relative to the largest. It stops at the rank of a singular covariance, or a little later because of
    rounding; the covariance of N samples has at most rank N - 1, so what is beyond that is cut.
    """
    covariance = np.asarray_chkfinite(moments.covariance)
    (pstrf,) = linalg.get_lapack_funcs(("pstrf",), (covariance,))
    factor, pivots, rank, _ = pstrf(covariance, tol=0.0, lower=1)
    root = np.empty_like(factor)
    root[pivots - 1] = np.tril(factor)  # P^T Sigma P = L L^T, and LAPACK counts from 1
    return root[:, : min(rank, moments.count - 1)]
