"""The Fréchet distance against closed forms, its invariances, and pytorch-fid on the same features."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inception_weights import save_random_inception
from pytorch_fid.fid_score import calculate_frechet_distance

from ganzoo.api import NoParams
from ganzoo.data.batches import to_pixels
from ganzoo.evaluate.frechet import frechet_distance, frechet_distance_of_features
from ganzoo.evaluate.moments import MomentAccumulator, Moments, moments

THEIRS = pytest.mark.filterwarnings("ignore:The `disp` argument")  # pytorch-fid 0.3.0 on SciPy 1.17
SEEDS = st.integers(0, 2**32 - 1)


def gaussian(mean, covariance) -> Moments:
    return Moments(np.asarray(mean, float), np.asarray(covariance, float), 1000)


def features(seed: int, count: int = 200, width: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


def pytorch_fid(x: np.ndarray, y: np.ndarray) -> float:
    try:
        return calculate_frechet_distance(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))
    except TypeError:
        pytest.skip("pytorch-fid 0.3.0 asks SciPy's sqrtm for an argument that SciPy 1.18 has removed")


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
    assert frechet_distance(gaussian([0, 0], np.zeros((2, 2))), gaussian([0, 0], np.diag([2.0, 3.0]))) == 5.0


@given(SEEDS, SEEDS)
@settings(max_examples=25, deadline=None)
def test_symmetric_never_negative_and_blind_to_rotation_and_shift(first, second):
    x, y = features(first), features(second)
    rotation, _ = np.linalg.qr(np.random.default_rng(first).normal(size=(6, 6)))
    distance = frechet_distance_of_features(x, y)
    assert distance >= 0
    assert frechet_distance_of_features(y, x) == pytest.approx(distance, rel=1e-9, abs=1e-9)
    moved = frechet_distance_of_features(x @ rotation + 5, y @ rotation + 5)
    assert moved == pytest.approx(distance, rel=1e-8, abs=1e-8)
    assert frechet_distance_of_features(3 * x, 3 * y) == pytest.approx(9 * distance, rel=1e-9, abs=1e-9)


def test_small_sets_take_the_nuclear_norm_to_the_same_value():
    x, y = features(1, count=8, width=12), features(2, count=10, width=12)
    assert frechet_distance_of_features(x, y) == pytest.approx(frechet_distance(moments(x), moments(y)), rel=1e-6)


@THEIRS
@pytest.mark.parametrize("width", [6, 64])
def test_agrees_with_pytorch_fid(width):
    x, y = features(3, 500, width), features(4, 400, width)
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(pytorch_fid(x, y), rel=1e-6)


@THEIRS
def test_agrees_with_pytorch_fid_on_inception_features(tmp_path, monkeypatch):
    """On 64 of the 2,048 features, since 96 images leave the full covariance singular.

    There pytorch-fid's own value is uncertain: its matrix square root of a singular product is not exact.
    """
    torch = pytest.importorskip("torch")
    rng = torch.Generator().manual_seed(0)
    images = to_pixels(torch.rand(192, 3, 8, 8, generator=rng) * 2 - 1)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    save_random_inception(tmp_path, images[:8])
    from ganzoo.zoo.extractors.inception import inception

    network = inception(NoParams())
    found = np.concatenate([network(batch).features.numpy() for batch in images.split(64)]).astype(np.float64)
    bright = found[images.float().mean((1, 2, 3)).argsort().numpy()]  # two halves that do differ
    x, y = bright[:96, :64], bright[96:, :64]
    theirs = pytorch_fid(x, y)
    assert theirs > 0
    assert frechet_distance(moments(x), moments(y)) == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("batch", [1, 7, 200])
def test_moments_do_not_depend_on_batches(batch):
    import torch

    x = features(5) + 1e4  # far from the origin, where a sum of squares would lose its digits
    accumulator = MomentAccumulator()
    for part in torch.from_numpy(x).split(batch):
        accumulator.add(part)
    found = accumulator.result()
    assert found.count == 200
    np.testing.assert_allclose(found.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(x, rowvar=False), rtol=1e-8)
