"""The Fréchet distance against closed forms, its invariances, and its extrapolation to infinitely many samples."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.evaluate.frechet import frechet_distance, frechet_distance_infinity, least_samples, with_root
from ganzoo.evaluate.moments import MomentAccumulator, Moments, moments

SEEDS = st.integers(0, 2**32 - 1)


def gaussian(mean, covariance, count: int = 1000) -> Moments:
    return Moments(np.asarray(mean, float), np.asarray(covariance, float), count)


def features(seed: int, count: int = 200, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


def factor_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The distance from the features themselves: tr((A^T A B^T B)^(1/2)) is the nuclear norm of A B^T."""
    a, b = ((f - f.mean(0)) / np.sqrt(len(f) - 1) for f in (x, y))
    trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * trace


# Closed forms -------------------------------------------------------------------------------------------------------


def test_equal_gaussians_are_at_distance_zero():
    one = moments(features(0))
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_a_shift_costs_its_squared_length():
    assert frechet_distance(gaussian([0, 0], np.eye(2)), gaussian([3, 4], np.eye(2))) == pytest.approx(25)


def test_isotropic_gaussians_differ_by_their_standard_deviations():
    one, two = gaussian(np.zeros(5), 4 * np.eye(5)), gaussian(np.zeros(5), 9 * np.eye(5))
    assert frechet_distance(one, two) == pytest.approx(5 * (3 - 2) ** 2)


def test_commuting_covariances_have_a_closed_form():
    a, b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 2.25])
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet_distance(gaussian(np.zeros(3), np.diag(a)), gaussian(np.zeros(3), np.diag(b))) == pytest.approx(
        expected
    )


def test_a_two_dimensional_pair_that_does_not_commute():
    """tr((AB)^(1/2)) of 2x2 matrices is sqrt(tr(AB) + 2 sqrt(det(AB)))."""
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[5.0, -2.0], [-2.0, 1.0]])
    trace = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * trace
    assert frechet_distance(gaussian([0, 0], a), gaussian([0, 0], b)) == pytest.approx(expected)


def test_singular_covariances_need_no_offset():
    """Two lines through the origin at an angle of 60 degrees: tr((AB)^(1/2)) = |cos 60|."""
    u, v = np.array([1.0, 0.0]), np.array([0.5, np.sqrt(0.75)])
    assert frechet_distance(gaussian([0, 0], np.outer(u, u)), gaussian([0, 0], np.outer(v, v))) == pytest.approx(1.0)


def test_a_point_is_as_far_as_the_other_s_variance():
    point, other = gaussian([0, 0], np.zeros((2, 2))), gaussian([0, 0], np.diag([2.0, 3.0]))
    assert frechet_distance(point, other) == frechet_distance(other, point) == 5.0
    assert frechet_distance(with_root(point), other) == frechet_distance(point, with_root(other)) == 5.0


def test_variances_of_any_size_keep_their_digits():
    """From 1 to 1e-30: an eigenvalue of 1e-30 drowns in the rounding of one of 1, a Cholesky pivot does not."""
    a = 10.0 ** -np.arange(0, 31, 2)
    one, two = gaussian(np.zeros(16), np.diag(a)), gaussian(np.zeros(16), np.diag(a[::-1]))
    expected = ((np.sqrt(a) - np.sqrt(a[::-1])) ** 2).sum()
    assert frechet_distance(one, two) == pytest.approx(expected, rel=1e-14)


# Invariances --------------------------------------------------------------------------------------------------------


@given(SEEDS, SEEDS)
@settings(max_examples=25)
def test_symmetric_never_negative_and_blind_to_rotation_and_shift(first, second):
    x, y = features(first), features(second)
    rotation, _ = np.linalg.qr(np.random.default_rng(first).normal(size=(6, 6)))
    distance = frechet_distance(moments(x), moments(y))
    assert distance >= 0
    assert frechet_distance(moments(y), moments(x)) == pytest.approx(distance, rel=1e-9, abs=1e-9)
    moved = frechet_distance(moments(x @ rotation + 5), moments(y @ rotation + 5))
    assert moved == pytest.approx(distance, rel=1e-8, abs=1e-8)
    assert frechet_distance(moments(3 * x), moments(3 * y)) == pytest.approx(9 * distance, rel=1e-9, abs=1e-9)


@given(SEEDS, st.integers(2, 40), st.integers(2, 40))
@settings(max_examples=50)
def test_exact_whether_or_not_there_are_more_samples_than_features(seed, count, other):
    """With and without roots; the covariances of fewer than 21 samples of 20 features are singular."""
    x, y = features(seed, count, 20), features(seed + 1, other, 20)
    one, two = moments(x), moments(y)
    expected = pytest.approx(factor_distance(x, y), rel=1e-11)
    assert frechet_distance(one, two) == expected
    assert frechet_distance(two, one) == expected
    assert frechet_distance(with_root(one), two) == expected
    assert frechet_distance(one, with_root(two)) == expected
    assert frechet_distance(with_root(one), with_root(two)) == expected


def test_any_root_will_do():
    one, two = moments(features(1)), moments(features(2))
    values, vectors = np.linalg.eigh(one.covariance)
    symmetric = dataclasses.replace(one, root=(vectors * np.sqrt(values)) @ vectors.T)
    assert frechet_distance(symmetric, two) == pytest.approx(frechet_distance(one, two), rel=1e-12)


@pytest.mark.parametrize("count", [3, 50])
def test_a_root_is_one_and_has_no_more_columns_than_the_rank(count):
    one = with_root(moments(features(3, count)))
    assert one.root is not None
    assert one.root.shape == (6, min(6, count - 1))
    np.testing.assert_allclose(one.root @ one.root.T, one.covariance, atol=1e-12)


def test_moments_that_are_not_finite_are_refused():
    broken = gaussian([0, 0], [[1, np.nan], [np.nan, 1]])
    for pair in ((broken, gaussian([0, 0], np.eye(2))), (with_root(gaussian([0, 0], np.eye(2))), broken)):
        with pytest.raises(ValueError, match="infs or NaNs"):
            frechet_distance(*pair)


@pytest.mark.parametrize("batch", [1, 7, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_moments_do_not_depend_on_batches_or_order(batch, seed):
    x = features(5) + 1e4  # far from the origin, where a sum of squares would lose its digits
    accumulator = MomentAccumulator()
    for part in torch.from_numpy(np.random.default_rng(seed).permutation(x)).split(batch):
        accumulator.add(part)
    found = accumulator.result()
    assert found.count == 200
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=1e-8)


def test_many_samples_are_accumulated_in_parts_to_the_same_moments():
    x = features(6, 10_000, 3).astype(np.float32)
    np.testing.assert_allclose(moments(x).covariance, np.cov(x, rowvar=False, dtype=np.float64), rtol=1e-10)


@pytest.mark.parametrize("count", [0, 1])
def test_one_sample_has_no_covariance(count):
    with pytest.raises(ValueError, match=f"at least two samples, not {count}"):
        moments(features(0)[:count])


# Infinitely many samples --------------------------------------------------------------------------------------------


def test_the_extrapolation_removes_most_of_the_bias():
    """Of 20 sets of 200 samples; the bias shrinks with 1 / N, so that the mean over sets of one size keeps it."""
    width = 8
    reference = gaussian(np.zeros(width), np.eye(width), 10**6)
    scale = np.linspace(0.7, 1.3, width)
    true = ((scale - 1) ** 2).sum() + width * 0.2**2
    sets = [np.random.default_rng(seed).normal(0.2, scale, size=(200, width)) for seed in range(20)]
    plain = np.mean([frechet_distance(reference, moments(x)) for x in sets])
    extrapolated = np.mean([frechet_distance_infinity(x, reference) for x in sets])
    assert plain - true > 0.05
    assert abs(extrapolated - true) < (plain - true) / 5


def test_the_extrapolation_may_fall_below_zero():
    reference = gaussian(np.zeros(4), np.eye(4), 10**6)
    values = [
        frechet_distance_infinity(features, reference) for features in np.random.default_rng(0).normal(size=(10, 50, 4))
    ]
    assert min(values) < 0 < max(values)


def test_the_extrapolation_is_a_function_of_its_seed_and_not_of_a_root():
    x, reference = features(7), moments(features(8))
    found = frechet_distance_infinity(x, reference, seed=3)
    assert frechet_distance_infinity(x, reference, seed=3) == found
    assert frechet_distance_infinity(x, reference, seed=4) != found
    assert frechet_distance_infinity(x, with_root(reference), seed=3) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize(("width", "least"), [(2, 30), (20, 42), (2048, 4098)])
def test_too_few_samples_to_extrapolate_are_refused(width, least):
    assert least_samples(width) == least
    with pytest.raises(ValueError, match=f"{least - 1} samples of {width} features are too few.*at least {least} are"):
        frechet_distance_infinity(np.zeros((least - 1, width), np.float32), gaussian([0], [[1]]))


def test_just_enough_samples_are_extrapolated():
    assert np.isfinite(frechet_distance_infinity(features(9, 42, 20), moments(features(10, 100, 20))))
