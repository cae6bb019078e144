"""The modes of a 2-D Gaussian mixture, known exactly: what a classifier only estimates for images."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ganzoo.api import Extracted, Extractor
from ganzoo.errors import IncompatibleError
from ganzoo.zoo.datasets.mixture import centres
from ganzoo.zoo.specs.extractors import MixtureParams

REACH = 3.0
"""Standard deviations within which a sample is of high quality (Srivastava et al. 2017, section 4)."""


class MixtureExtractor:
    """The density of each mode behind the Extractor contract."""

    resize = "none"

    def __init__(self, params: MixtureParams) -> None:
        self.centres = torch.tensor(params.unit * centres(params), dtype=torch.float32)  # (K, 2)
        self.sd = params.unit * params.sd
        causes = f"{REACH:g} {self.sd!r} {self.centres.tolist()}"
        self.sha256 = hashlib.sha256(causes.encode()).hexdigest()

    def to(self, device: torch.device | str) -> MixtureExtractor:
        """Move to a device and return self."""
        self.centres = self.centres.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Extracted:
        """Map float32 points of shape (N, 2, 1, 1) to themselves, to the modes' densities and to their quality.

        The logits are log N(x; c_k, sd^2) up to a constant, -|x - c_k|^2 / (2 sd^2), so that the largest is that of
        the nearest mode. A point is good when it lies less than three standard deviations from it, in Euclidean
        distance, as Lin et al. count (MetricLogger in their release; Srivastava et al. say "within").

        Raises:
            IncompatibleError: the images are no points in the plane.
        """
        if images.shape[1:] != (2, 1, 1) or images.dtype != torch.float32:
            raise IncompatibleError(
                f"mixture looks at points, float32 of shape (N, 2, 1, 1), and these are {images.dtype} of shape "
                f"{tuple(images.shape)}: choose the dataset ring or grid, or leave out --extractor"
            )
        points = images.flatten(1)  # (N, 2, 1, 1) -> (N, 2)
        squares = (points[:, None] - self.centres).square().sum(2)  # (N, 1, 2) - (K, 2) -> (N, K, 2) -> (N, K)
        good = squares.min(1).values < (REACH * self.sd) ** 2
        return Extracted(points, -squares / (2 * self.sd**2), good)


def mixture(params: MixtureParams) -> Extractor:
    """Return the modes of a mixture."""
    return MixtureExtractor(params)
