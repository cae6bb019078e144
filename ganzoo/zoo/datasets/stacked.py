"""Stacked MNIST: three random digits as the channels of one image, 1,000 modes (Metz et al. 2017, arXiv:1611.02163)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ganzoo.api import Images, NoParams, Split
from ganzoo.data.cache import cached
from ganzoo.paths import cache_dir
from ganzoo.zoo.datasets.vision import load_mnist

SEED = 1712_04086
"""Of the triples, which are the same for everybody; any number would do, and this is Lin et al.'s paper."""
COUNTS: dict[Split, int] = {"train": 128_000, "test": 26_000}
PLACES = np.array([100, 10, 1])
"""Of the digits in a class: the first channel counts the hundreds."""


def load(params: NoParams, root: Path, split: Split) -> Images:
    """Return 128,000 training or 26,000 test images, uint8 (N, 3, 28, 28), labelled 0 to 999.

    A split is made of MNIST's own split alone, so that test images hold no digit that was trained on; Lin et al. drew
    from both. The arrays are kept on disk, where they take 300 and 61 MB, and memory-mapped.
    """
    digits = load_mnist(params, root, split)
    key = f"stacked-mnist-{split}-{COUNTS[split]}-{SEED}-{_digest(digits)}"
    return cached(key, lambda: stack(digits, triples(len(digits.pixels), split)), cache_dir() / "decoded")


def triples(digits: int, split: Split) -> np.ndarray:
    """Return which digits make up each image, int64 (N, 3), all of them equally likely in each channel."""
    rng = np.random.default_rng([SEED, list(COUNTS).index(split)])
    return rng.integers(digits, size=(COUNTS[split], 3))


def stack(digits: Images, chosen: np.ndarray) -> Images:
    """Return images whose channels are the chosen digits, and their classes, 100 a + 10 b + c for digits a, b and c.

    Args:
        digits: uint8 pixels (M, 1, H, W) with labels (M,) from 0 to 9.
        chosen: (N, 3) places in `digits`.
    """
    assert digits.labels is not None
    return Images(digits.pixels[chosen, 0], digits.labels[chosen] @ PLACES)  # (N, 3, H, W) and (N, 3) -> (N,)


def _digest(digits: Images) -> str:
    """Return a hash of the digits that are stacked: wherever they lie, equal ones give equal images."""
    digest = hashlib.sha256()
    for array in digits:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
