"""The UCI optical digits, 8x8: the dataset that is always there (Alpaydin and Kaynak, 1998)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganzoo.api import Images, NoParams, Split

PACKAGED = Path(__file__).with_name("digits.npz")


def load(params: NoParams, root: Path, split: Split) -> Images:
    """Return 1,198 training or 599 test images of shape (1, 8, 8); every third image is for testing."""
    with np.load(PACKAGED) as digits:
        pixels, labels = digits["pixels"], digits["labels"]
    for_test = np.arange(len(pixels)) % 3 == 2
    chosen = for_test if split == "test" else ~for_test
    return Images(pixels[chosen], labels[chosen].astype(np.int64))
