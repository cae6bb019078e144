"""Points in the plane from a mixture of Gaussians on a ring or a grid (Srivastava et al. 2017; Lin et al. 2018)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ganzoo.api import Images, Split
from ganzoo.zoo.specs.datasets import GridParams, RingParams
from ganzoo.zoo.specs.extractors import MixtureParams

SEED = 1705_07761
"""Of the points, which are the same for everybody; any number would do, and this is the first paper's."""
COUNTS: dict[Split, int] = {"train": 100_000, "test": 10_000}


def load(params: RingParams | GridParams, root: Path, split: Split) -> Images:
    """Return 100,000 training or 10,000 test points, float32 (N, 2, 1, 1) in [-1, 1], labelled by their modes.

    Each point draws its mode, all equally likely, and then its place. One seed and one order of draws serve all
    parameters: another standard deviation moves the points further from the same modes, in the same directions.
    """
    rng = np.random.default_rng([SEED, list(COUNTS).index(split)])
    offsets = rng.standard_normal((COUNTS[split], 2))
    labels = rng.integers(params.mixture.modes, size=COUNTS[split])
    points = params.mixture.unit * (centres(params.mixture)[labels] + params.mixture.sd * offsets)
    return Images(points.astype(np.float32)[:, :, None, None], labels)  # (N, 2) -> (N, 2, 1, 1)


def centres(mixture: MixtureParams) -> np.ndarray:
    """Return the centres of the modes in the papers' units, float64 (modes, 2).

    A ring starts at (1, 0) and goes anticlockwise; a grid starts at its lower left and goes up each column.
    """
    if mixture.layout == "ring":
        angles = 2 * np.pi * np.arange(mixture.modes) / mixture.modes
        return np.stack([np.cos(angles), np.sin(angles)], 1)
    side = math.isqrt(mixture.modes)
    along = 2.0 * np.arange(side) - (side - 1)
    return np.stack(np.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)  # (side, side, 2) -> (modes, 2)
