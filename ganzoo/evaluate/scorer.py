"""Score images against a reference: the Fréchet distance and the classifier score in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from ganzoo.api import Extractor
from ganzoo.evaluate.classifier_score import classifier_score
from ganzoo.evaluate.frechet import frechet_distance
from ganzoo.evaluate.moments import MomentAccumulator, Moments
from ganzoo.evaluate.protocol import Score

BATCH = 256
"""Images a pass through the feature network; does not change a score beyond rounding."""


def extract(extractor: Extractor, batches: Iterable[Tensor]) -> tuple[Moments, np.ndarray]:
    """Return the moments of the features and all logits, of uint8 images of shape (N, C, H, W)."""
    accumulator = MomentAccumulator()
    logits: list[np.ndarray] = []
    with torch.inference_mode():
        for batch in batches:
            found = extractor(batch)
            accumulator.add(found.features)
            logits.append(found.logits.cpu().numpy())
    return accumulator.result(), np.concatenate(logits)


def score(extractor: Extractor, batches: Iterable[Tensor], reference: Moments) -> Score:
    """Return what uint8 images score against the moments of a reference."""
    found, logits = extract(extractor, batches)
    mean, sd = classifier_score(logits)
    return Score(frechet_distance(reference, found), mean, sd)


def real_batches(pixels: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield uint8 pixels of shape (N, C, H, W) in batches on a device."""
    for start in range(0, len(pixels), BATCH):
        yield torch.tensor(pixels[start : start + BATCH], device=device)
