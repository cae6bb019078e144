"""The temperature that makes a trained classifier as sure as it is right.

The classifier score is made of probabilities, so a classifier that says 97 % where it is right 99 % of the time lowers
the score of every generator, and that of real images too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor, nn


def temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the T whose softmax(logits / T) has the least cross-entropy (Guo et al., 2017, arXiv:1706.04599, 4.2).

    Args:
        logits: shape (N, K), of images that the classifier was not trained on: on its training images it is sure of
            everything.
        labels: shape (N,).
    """
    logits = logits.double()

    def error(log_t: float) -> float:
        return F.cross_entropy(logits / torch.tensor(log_t).exp(), labels).item()

    found = minimize_scalar(error, bounds=(-3, 3), method="bounded")
    return float(torch.tensor(found.x).exp())


@torch.no_grad()
def cool(head: nn.Linear, t: float) -> None:
    """Divide a linear head's logits by T, in place, so that inference needs not know of it."""
    head.weight.div_(t)
    head.bias.div_(t)


def reliability(logits: Tensor, labels: Tensor) -> str:
    """Return in words how often a classifier is right, how sure it is of it, and its cross-entropy."""
    right = (logits.argmax(1) == labels).double().mean().item()
    confidence = logits.softmax(1).amax(1).double().mean().item()
    return f"right {right:.2%}, sure {confidence:.2%}, cross-entropy {F.cross_entropy(logits, labels).item():.4f}"
