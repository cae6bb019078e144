"""Precision, recall, density and coverage: cases with known answers, and plain differences pair by pair."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ganzoo.evaluate import manifold as module
from ganzoo.evaluate.manifold import Manifold, manifold, squared_radii


def by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> Manifold:
    """All pairs at once, from differences: what the matrix products must agree with, sample for sample."""

    def distances(x, y) -> np.ndarray:
        return np.square(x.astype(float)[:, None] - y.astype(float)[None]).sum(2)

    def radii(x) -> np.ndarray:
        among = distances(x, x)
        np.fill_diagonal(among, np.inf)
        return np.sort(among, axis=1)[:, k - 1]

    between = distances(fake, real)
    in_real, in_fake = between < radii(real), between < radii(fake)[:, None]
    return Manifold(in_real.any(1).mean(), in_fake.any(0).mean(), in_real.sum(1).mean() / k, in_real.any(0).mean())


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# Known answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1e4])
@pytest.mark.parametrize("width", [3, 2048])
def test_copies_of_the_real_set_score_one_throughout(width, offset):
    """A ball holds its own centre and k - 1 neighbours; the k-th lies on its border, which `<` leaves out."""
    real = normal(0, 60, width) + np.float32(offset)
    assert manifold(real, real.copy()) == (1, 1, 1, 1)
    assert manifold(real, np.random.default_rng(0).permutation(real)) == (1, 1, 1, 1)


def test_sets_far_apart_score_zero_throughout():
    assert manifold(normal(0, 50, 4), normal(1, 50, 4) + 100) == (0, 0, 0, 0)


def test_one_real_image_over_and_over_is_precise_and_covers_nearly_nothing():
    real = normal(0, 50, 4)
    radii = squared_radii(real)
    holding = (np.square(real.astype(float) - real[7].astype(float)).sum(1) < radii).sum()
    assert holding < 15
    assert manifold(real, real[[7] * 40]) == (1, 0, holding / 5, holding / 50)


def test_one_mode_of_two_is_half_covered():
    real = np.concatenate([normal(0, 100, 3), normal(1, 100, 3) + 50])
    found = manifold(real, normal(2, 100, 3))
    assert found.precision > 0.9
    assert found.recall <= 0.5
    assert 0.4 < found.coverage <= 0.5
    assert manifold(normal(2, 100, 3), real) == (
        found.recall,
        found.precision,
        pytest.approx(0.5, abs=0.1),
        pytest.approx(0.98, abs=0.03),
    )


def test_a_hand_drawn_line():
    """k = 1. The balls of 0, 1, 3 and 7 have radii 1, 1, 2 and 4; the fake 2 lies on the border of the ball of 1.

    It is in one real ball, 4 in two, 20 in none. The fakes' own balls have radii 2, 2 and 16 and miss the real 0.
    """
    real, fake = np.array([[0.0], [1], [3], [7]]), np.array([[2.0], [4], [20]])
    assert squared_radii(real, 1).tolist() == [1, 1, 4, 16]
    assert squared_radii(fake, 1).tolist() == [4, 4, 256]
    assert manifold(real, fake, 1) == (2 / 3, 3 / 4, 1, 1 / 2)


def test_fakes_of_the_same_distribution_have_the_expected_density_and_coverage():
    """E[density] = 1 and E[coverage] = 1 - (N-1)...(N-k) / (M+N-1)...(M+N-k) (Naeem et al. 2020), N = M = 200."""
    k, steps = 5, np.arange(1, 6)
    found = np.mean([manifold(normal(2 * seed, 200, 2), normal(2 * seed + 1, 200, 2), k) for seed in range(20)], axis=0)
    assert found[2] == pytest.approx(1, abs=0.03)
    assert found[3] == pytest.approx(1 - np.prod((200 - steps) / (400 - steps)), abs=0.01)


# Against plain differences ------------------------------------------------------------------------------------------

LATTICE = arrays(np.float32, st.tuples(st.integers(4, 9), st.just(2)), elements=st.integers(-2, 2).map(float))


@given(LATTICE, LATTICE, st.integers(1, 3), st.sampled_from([0, 1 / 3, 1e6]))
@example(np.zeros((4, 2), np.float32), np.zeros((5, 2), np.float32), 1, 1e6)
def test_every_tie_is_a_tie(real, fake, k, offset):
    """On a lattice nearly every distance equals a radius; a third of it is no float, so that products do round."""
    real, fake = (real / 3 + np.float32(offset), fake / 3 + np.float32(offset))
    assert manifold(real, fake, k) == pytest.approx(by_definition(real, fake, k), abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_copies_and_near_copies_far_from_the_origin(seed):
    """Differences of 1e-9 between features of 1e3: the products alone would see noise of 1e-6 in squared distances."""
    rng = np.random.default_rng(seed)
    real = rng.normal(1e3, 1, size=(40, 5))
    real[20:] = real[:20] + rng.normal(0, 1e-9, size=(20, 5))
    fake = np.concatenate([real[:10], real[10:20] + 1e-9, rng.normal(1e3, 1, size=(20, 5))])
    assert manifold(real, fake, 2) == pytest.approx(by_definition(real, fake, 2), abs=1e-15)


def test_an_outlier_does_not_blur_the_others():
    real, fake = normal(0, 50, 3), normal(1, 50, 3)
    fake[0] = 1e12
    assert manifold(real, fake, 2) == pytest.approx(by_definition(real, fake, 2), abs=1e-15)
    real[0] = -1e12
    assert manifold(real, fake, 2) == pytest.approx(by_definition(real, fake, 2), abs=1e-15)


@pytest.mark.parametrize("cells", [1, 100, 777])
def test_blocks_do_not_change_a_score(monkeypatch, cells):
    real, fake = normal(0, 61, 7), np.concatenate([normal(1, 30, 7), normal(0, 61, 7)[:9]])
    whole, radii = manifold(real, fake), squared_radii(real)
    monkeypatch.setattr(module, "CELLS", cells)
    assert manifold(real, fake) == whole == pytest.approx(by_definition(real, fake, 5), abs=1e-15)
    assert np.array_equal(squared_radii(real), radii)


def test_order_does_not_change_a_score():
    real, fake = normal(0, 50, 4), normal(1, 40, 4)
    rng = np.random.default_rng(0)
    assert manifold(rng.permutation(real), rng.permutation(fake)) == manifold(real, fake)


def test_known_radii_save_their_computation(monkeypatch):
    real, fake = normal(0, 50, 4), normal(1, 40, 4)
    radii, expected = squared_radii(real, 3), manifold(real, fake, 3)
    seen = []
    monkeypatch.setattr(
        module, "squared_radii", lambda x, k, device: seen.append(len(x)) or squared_radii(x, k, device)
    )
    assert manifold(real, fake, 3, radii) == expected
    assert seen == [40]


# Refusals -----------------------------------------------------------------------------------------------------------


def test_a_set_of_k_samples_is_refused():
    with pytest.raises(ValueError, match="5 samples have no 5-th nearest neighbours: at least 6 are needed"):
        manifold(normal(0, 6, 2), normal(0, 5, 2))
    with pytest.raises(ValueError, match="at least 6"):
        manifold(normal(0, 5, 2), normal(0, 6, 2))


def test_features_that_are_not_finite_are_refused():
    broken = normal(0, 6, 2)
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        manifold(normal(0, 6, 2), broken)
