"""Mode coverage: known histograms, and the exact expectation of uniform samples against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzoo.evaluate.mode_coverage import modes, uniform_baseline


def test_even_classes_find_every_mode_at_no_divergence():
    assert modes(np.arange(1000) % 10, 10) == (10, pytest.approx(0, abs=1e-15))


def test_one_class_diverges_by_the_logarithm_of_the_modes():
    assert modes(np.full(50, 3), 8) == (1, pytest.approx(np.log(8)))


def test_a_value_worked_out_by_hand():
    """Shares 3/4 and 1/4 of four modes: 3/4 log 3 + 1/4 log 1."""
    assert modes(np.array([0, 0, 0, 2]), 4) == (2, pytest.approx(0.75 * np.log(3)))


def test_no_sample_is_as_bad_as_one_mode_but_finds_none():
    assert modes(np.array([], int), 8) == (0, pytest.approx(np.log(8)))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=50), st.randoms())
def test_bounded_and_blind_to_order_names_and_repetition(classes, random):
    found = modes(np.array(classes), 7)
    assert found.found == len(set(classes))
    assert -1e-15 <= found.kl <= np.log(7) + 1e-15
    shuffled, names = random.sample(classes, len(classes)), np.array(random.sample(range(7), 7))
    assert modes(names[shuffled], 7) == (found.found, pytest.approx(found.kl, abs=1e-12))
    assert modes(np.array(classes * 3), 7) == (found.found, pytest.approx(found.kl, abs=1e-12))


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_class_that_is_no_mode_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not all in \[0, 4\)"):
        modes(np.array([0, wrong]), 4)


@pytest.mark.parametrize(("samples", "count"), [(5, 3), (30, 10), (100, 40)])
def test_the_baseline_is_the_mean_of_uniform_samples(samples, count):
    draws = np.random.default_rng(0).integers(count, size=(4000, samples))
    found = np.array([modes(classes, count) for classes in draws])
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - uniform_baseline(samples, count)) < 4 * error).all()


def test_one_sample_finds_one_mode():
    assert uniform_baseline(1, 8) == (pytest.approx(1), pytest.approx(np.log(8)))


def test_one_mode_is_always_found():
    assert uniform_baseline(5, 1) == (1, 0)


def test_stacked_mnist():
    """26,000 samples of 1,000 modes: all are found, and the divergence is (K - 1) / 2N to first order, 0.0192."""
    found = uniform_baseline(26_000, 1000)
    assert found.found == pytest.approx(1000, abs=1e-6)
    assert found.kl == pytest.approx(999 / 52_000, rel=0.01)
    assert found.kl != pytest.approx(999 / 52_000, rel=1e-4)
