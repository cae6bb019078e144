"""The mark of a difference: Welch's test against the first row, corrected for the number of rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import t as student

from ganzoo.results.significance import p_against_best, p_against_first


def test_welch_agrees_with_its_formula() -> None:
    """t = (m1 - m2) / sqrt(v1/n + v2/n), with Welch and Satterthwaite's degrees of freedom."""
    one, two = [18.0, 20.0, 22.0], [20.0, 22.0, 27.0]
    terms = [np.var(values, ddof=1) / 3 for values in (one, two)]
    t = (np.mean(one) - np.mean(two)) / np.sqrt(sum(terms))
    freedom = sum(terms) ** 2 / sum(term**2 / 2 for term in terms)
    assert p_against_first([one, two]) == [None, pytest.approx(2 * student.sf(abs(t), freedom))]


def test_holm_multiplies_the_smallest_most_and_never_goes_down() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(mean, 1, 5).tolist() for mean in (0, 3, 1, 0.2)]
    plain = [p_against_first([rows[0], row])[1] for row in rows[1:]]
    assert all(p is not None for p in plain)
    smallest, middle, largest = sorted(p for p in plain if p is not None)
    corrected = p_against_first(rows)
    assert corrected[0] is None
    expected = [3 * smallest, max(3 * smallest, 2 * middle)]
    expected.append(max(expected[1], largest))
    assert sorted(p for p in corrected if p is not None) == pytest.approx([min(1.0, p) for p in expected])


def test_a_single_seed_has_no_test() -> None:
    assert p_against_first([[1.0], [2.0, 3.0]]) == [None, None]
    assert p_against_first([[1.0, 2.0], [2.0], [2.0, 3.0]])[1] is None
    assert p_against_first([]) == []


def test_rows_without_any_spread_are_equal_or_not() -> None:
    assert p_against_first([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]) == [None, 1.0, 0.0]


def test_equal_rows_are_called_different_in_about_five_of_a_hundred_tables() -> None:
    """The family-wise error of four comparisons under the null: at most 5 %, with 2 % to spare for 400 draws."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        found = p_against_first(rng.normal(size=(5, 4)).tolist())
        wrong += any(p is not None and p < 0.05 for p in found)
    assert wrong / 400 <= 0.07


def test_against_the_best_holm_counts_all_pairs() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(mean, 1, 5).tolist() for mean in (0, 3, 1, 0.2)]
    plain = {(i, j): p_against_first([rows[i], rows[j]])[1] for i, j in itertools.combinations(range(4), 2)}
    ordered = sorted(plain, key=lambda pair: plain[pair] or 0)
    steps = [min(1.0, (6 - rank) * (plain[pair] or 0)) for rank, pair in enumerate(ordered)]
    expected = {pair: max(steps[: rank + 1]) for rank, pair in enumerate(ordered)}
    assert p_against_best(rows) == [None, *(pytest.approx(expected[0, i]) for i in (1, 2, 3))]


def test_equal_rows_are_no_more_often_called_different_from_the_best_of_them() -> None:
    rng = np.random.default_rng(0)
    tables = [sorted(rng.normal(size=(10, 5)).tolist(), key=sum) for _ in range(100)]
    assert sum(any(p is not None and p < 0.05 for p in p_against_best(rows)) for rows in tables) <= 7


def test_a_row_without_spread_is_compared_with_one_that_has_some():
    _, p = p_against_first([[8.0, 8.0, 8.0], [0.0, 7.0, 8.0]])
    t = 3.0 / (19 / 3) ** 0.5  # means 8 and 5, variances 0 and 19, two degrees of freedom
    assert p == pytest.approx(1 - t / (t * t + 2) ** 0.5)
