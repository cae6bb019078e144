"""Make ganzoo/zoo/datasets/digits.npz from scikit-learn's copy of the UCI optical digits.

    python tools/make_digits.py

The images are counts 0..16 of set pixels in 4x4 blocks; they are scaled to 0..255. Their order is kept, because the
split depends on it: image i belongs to `test` when i % 3 == 2, else to `train`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "ganzoo" / "zoo" / "datasets" / "digits.npz"


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return pixels, uint8 of shape (1797, 1, 8, 8), and labels, uint8 of shape (1797,)."""
    counts, labels = load_digits(return_X_y=True)
    pixels = np.rint(counts * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)  # (N, 64) -> (N, C, H, W)
    return pixels, labels.astype(np.uint8)


if __name__ == "__main__":
    pixels, labels = digits()
    np.savez_compressed(TARGET, pixels=pixels, labels=labels)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
