"""The kernel distance against values worked out by hand, the true MMD of Gaussians, and its invariances."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.evaluate import kernel_distance as module
from ganzoo.evaluate.kernel_distance import kernel_distance, squared_mmd


def column(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Gretton et al. 2012, equation 3, pair by pair."""

    def mean(pairs) -> float:
        return float(np.mean([(a.astype(float) @ b.astype(float) / len(a) + 1) ** 3 for a, b in pairs]))

    within = mean(itertools.permutations(x, 2)) + mean(itertools.permutations(y, 2))
    return within - 2 * mean(itertools.product(x, y))


def test_a_value_worked_out_by_hand():
    """k(a, b) = (ab + 1)^3: 1 within {0, 1}, 1 within {0, 2}, and (1 + 1 + 1 + 27) / 4 between them."""
    assert kernel_distance(column(0, 1), column(0, 2)) == (1 + 1 - 2 * 7.5, 0)


def test_it_is_the_mean_over_pairs_in_float64():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(3, 1, size=(count, 4)).astype(np.float32) for count in (9, 9))
    assert kernel_distance(x, y)[0] == pytest.approx(by_definition(x, y), rel=1e-11)


def test_sets_of_different_sizes():
    x, y = np.random.default_rng(0).normal(size=(9, 4)), np.random.default_rng(1).normal(size=(5, 4))
    assert squared_mmd(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(by_definition(x, y), rel=1e-11)


def test_unbiased_where_both_sets_come_from_one_distribution():
    """Zero on average, and so below zero about every second time: clipping at zero would make it biased."""
    draws = np.random.default_rng(0).normal(size=(400, 2, 30, 5))
    found = np.array([kernel_distance(x, y)[0] for x, y in draws])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert 0.4 < (found < 0).mean() < 0.7


def test_unbiased_where_they_do_not():
    """MMD^2 of N(0, 1) and N(1, 1) is 3 |dE[x]|^2 + 3 |dE[x^2]|^2 + |dE[x^3]|^2 = 3 + 3 + 16."""
    draws = np.random.default_rng(0).normal(size=(1000, 2, 50, 1))
    found = np.array([kernel_distance(x, y + 1)[0] for x, y in draws])
    assert abs(found.mean() - 22) < 3 * found.std() / np.sqrt(len(found))


def test_the_mean_over_subsets_is_near_that_of_the_whole_sets():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 8)), rng.normal(0.3, 1, size=(300, 8))
    mean, sd = kernel_distance(x, y, subsets=200, size=100)
    whole = squared_mmd(torch.from_numpy(x), torch.from_numpy(y))
    assert sd > 0
    assert abs(mean - whole) < 4 * sd / np.sqrt(200)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_whole_sets_are_blind_to_order_rotation_seed_and_exchange(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 20, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    found = (pytest.approx(kernel_distance(x, y)[0], rel=1e-9, abs=1e-12), 0)
    assert kernel_distance(rng.permutation(x), rng.permutation(y)) == found
    assert kernel_distance(x @ rotation, y @ rotation) == found
    assert kernel_distance(x, y, seed=seed) == found
    assert kernel_distance(y, x) == found


def test_whole_sets_are_compared_once(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "squared_mmd", lambda x, y: calls.append(x.shape) or 0.5)
    assert kernel_distance(np.zeros((10, 2)), np.zeros((10, 2)), size=1000) == (0.5, 0)
    assert calls == [(10, 2)]


def test_the_smaller_set_limits_the_subsets_of_both(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "squared_mmd", lambda x, y: calls.append((len(x), len(y))) or 0.0)
    kernel_distance(np.zeros((10, 2)), np.zeros((7, 2)), subsets=3, size=8)
    assert calls == [(7, 7)] * 3


def test_a_subset_holds_no_sample_twice(monkeypatch):
    drawn = []
    monkeypatch.setattr(module, "squared_mmd", lambda x, y: drawn.append(x.flatten().tolist()) or 0.0)
    kernel_distance(np.arange(20.0)[:, None], np.zeros((30, 1)), subsets=5, size=15)
    assert all(len(set(subset)) == 15 for subset in drawn)
    assert len({tuple(subset) for subset in drawn}) == 5


def test_the_seed_decides_the_subsets():
    x, y = np.random.default_rng(0).normal(size=(2, 50, 3))
    assert kernel_distance(x, y, 5, 10, seed=1) == kernel_distance(x, y, 5, 10, seed=1)
    assert kernel_distance(x, y, 5, 10, seed=1) != kernel_distance(x, y, 5, 10, seed=2)


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least two samples of each set, not 1 and 5"):
        kernel_distance(np.zeros((1, 2)), np.zeros((5, 2)))
