"""How sure a table is that its first row is better than another: Welch's test with Holm's correction."""

from __future__ import annotations

import itertools
import statistics
import warnings
from collections.abc import Sequence
from typing import Any

LEVEL = 0.05
"""Rows with a smaller p are marked."""


def p_against_first(rows: Sequence[Sequence[float]]) -> list[float | None]:
    """Return for each row the corrected p-value of its difference from the first; None where there is no test.

    Welch's two-sided t-test (1947), which lets the rows' variances differ: with the three to five seeds of a benchmark
    a rank test could not reach 5 % at all. Holm (1979) corrects for the number of rows that are compared.

    Args:
        rows: the values of each row, one per seed.
    """
    tested = [i for i in range(1, len(rows)) if min(len(rows[0]), len(rows[i])) > 1]
    corrected = _holm([_welch(rows[0], rows[i]) for i in tested])
    found: dict[int, float] = dict(zip(tested, corrected, strict=True))
    return [found.get(i) for i in range(len(rows))]


def p_against_best(rows: Sequence[Sequence[float]]) -> list[float | None]:
    """Return the same for rows in their order, the best first: Holm corrects for the number of all pairs.

    The first row is the one that scored best, so any pair could have been one that is looked at. Corrected for the
    other rows alone, twelve equal ones of six seeds would differ in one table of nine.

    Args:
        rows: the values of each row, one per seed.
    """
    pairs = list(itertools.combinations([i for i, values in enumerate(rows) if len(values) > 1], 2))
    corrected = _holm([_welch(rows[i], rows[j]) for i, j in pairs])
    found: dict[tuple[int, int], float] = dict(zip(pairs, corrected, strict=True))
    return [found.get((0, i)) for i in range(len(rows))]


def _welch(one: Sequence[float], two: Sequence[float]) -> float:
    from scipy import stats  # noqa: PLC0415  (half a second that a table of single seeds need not wait for)

    if statistics.variance(one) == statistics.variance(two) == 0:  # the statistic is 0/0 or infinite
        return 1.0 if one[0] == two[0] else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's, of equal values in one row, as of modes
        p: Any = stats.ttest_ind(one, two, equal_var=False)[1]
    return float(p)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values for the family: the smallest times m, the next times m - 1, ..., none below the one before it."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        corrected[i] = highest
    return corrected
