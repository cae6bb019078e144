"""The inception score (Salimans et al. 2016, section 4), of whatever classifier gives the logits."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

SPLITS = 10


def classifier_score(logits: np.ndarray, seed: int = 0, splits: int = SPLITS) -> tuple[float, float]:
    """Return the mean and standard deviation over splits of exp(E_x KL(p(y|x) || p(y))).

    Args:
        logits: shape (N, K), N at least the number of splits.
        seed: of the shuffle before the splits; without one, samples in the order of their classes would be scored
            on a few classes each.
        splits: parts that are scored by themselves, each with its own p(y).

    Returns:
        A score between 1 and K, and its standard deviation over splits (divided by their number, as published code
        does).

    Raises:
        ValueError: fewer samples than splits.
    """
    if len(logits) < splits:
        raise ValueError(f"{splits} splits need at least {splits} samples, not {len(logits)}")
    order = np.random.default_rng(seed).permutation(len(logits))
    scores = [_score(logits[part]) for part in np.array_split(order, splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(logits: np.ndarray) -> float:
    """Return exp(mean KL) of the classes' probabilities, of logits of shape (N, K)."""
    log_p = log_softmax(logits.astype(np.float64), axis=1)
    p = np.exp(log_p)
    marginal = p.mean(0)
    log_marginal = np.log(marginal, out=np.zeros_like(marginal), where=marginal > 0)
    return float(np.exp((p * (log_p - log_marginal)).sum(1).mean()))
