"""The inception score of any classifier: cases with known answers and its bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzoo.evaluate.classifier_score import classifier_score


def certain(classes, count: int = 10) -> np.ndarray:
    """Logits of a classifier that is sure of each class."""
    return np.eye(count)[classes] * 1e3


def test_sure_and_evenly_spread_over_k_classes_scores_k():
    mean, sd = classifier_score(certain(np.arange(1000) % 10), splits=1)
    assert mean == pytest.approx(10)
    assert sd == 0


def test_one_class_scores_one():
    assert classifier_score(certain(np.zeros(100, int)))[0] == pytest.approx(1)


def test_an_unsure_classifier_scores_one():
    assert classifier_score(np.zeros((100, 10)))[0] == pytest.approx(1)


def test_a_value_worked_out_by_hand():
    """p = (3/4, 1/4) and (1/4, 3/4): KL to (1/2, 1/2) is 3/4 log(3/2) + 1/4 log(1/2)."""
    logits = np.log([[3.0, 1.0], [1.0, 3.0]])
    expected = np.exp(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert classifier_score(logits, splits=1)[0] == pytest.approx(expected)


def test_the_order_of_classes_is_shuffled_away():
    """Ten splits of class-ordered samples would see one class each and score 1."""
    ordered = certain(np.repeat(np.arange(10), 100))
    assert classifier_score(ordered)[0] > 9


def test_mean_and_sd_are_over_splits():
    logits = np.random.default_rng(0).normal(size=(100, 5)) * 3
    order = np.random.default_rng(0).permutation(100)
    parts = [classifier_score(part, splits=1)[0] for part in np.split(logits[order], 10)]
    assert classifier_score(logits) == (pytest.approx(np.mean(parts)), pytest.approx(np.std(parts)))


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 50))
@settings(max_examples=25)
def test_bounded_by_one_and_the_number_of_classes(seed, sharpness):
    logits = np.random.default_rng(seed).normal(size=(60, 7)) * sharpness
    assert 1 - 1e-12 <= classifier_score(logits)[0] <= 7 + 1e-12


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="10 splits need at least 10 samples"):
        classifier_score(np.zeros((9, 3)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_one_split_is_blind_to_the_order_of_samples_and_classes_and_to_a_constant(seed):
    """With more splits, the order decides with the seed which samples share a split."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(30, 5)) * 3
    score = pytest.approx(classifier_score(logits, splits=1)[0], rel=1e-12)
    assert classifier_score(rng.permutation(logits), splits=1)[0] == score
    assert classifier_score(rng.permutation(logits, axis=1), splits=1)[0] == score
    assert classifier_score(logits + rng.normal(size=(30, 1)), splits=1)[0] == score
    assert classifier_score(logits, seed=seed, splits=1)[0] == score


def test_the_seed_decides_the_splits():
    logits = np.random.default_rng(0).normal(size=(100, 5)) * 3
    assert classifier_score(logits, seed=1) == classifier_score(logits, seed=1)
    assert classifier_score(logits, seed=1) != classifier_score(logits, seed=2)


def test_float32_logits_are_scored_in_float64():
    logits = np.random.default_rng(0).normal(size=(100, 50)).astype(np.float32)
    assert classifier_score(logits) == classifier_score(logits.astype(np.float64))
