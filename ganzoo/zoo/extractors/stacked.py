"""The MNIST classifier on each channel of a stacked image: 1,000 classes from ten (Metz et al. 2017)."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from ganzoo.api import Extracted, Extractor, NoParams
from ganzoo.errors import IncompatibleError
from ganzoo.zoo.extractors.classifier import mnist_cnn

VERSION = 1
"""Of what is done with the classifier's output; part of the hash."""


class StackedExtractor:
    """A classifier of digits, asked three times an image, behind the Extractor contract."""

    def __init__(self, digits: Extractor) -> None:
        self.digits = digits
        self.resize = f"each channel {digits.resize}"
        self.sha256 = hashlib.sha256(f"stacked {VERSION} {digits.sha256}".encode()).hexdigest()

    def to(self, device: torch.device | str) -> StackedExtractor:
        """Move to a device and return self."""
        self.digits = self.digits.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 3, H, W) to features (N, 3 * 64) and logits (N, 1000), float32.

        The logits are joint log-probabilities, log p(a) + log p(b) + log p(c) for the class 100 a + 10 b + c.

        Raises:
            IncompatibleError: the images have not three channels of uint8.
        """
        if images.shape[1] != 3 or images.dtype != torch.uint8:
            raise IncompatibleError(
                f"stacked-mnist-cnn looks at uint8 images of three channels, and these are {images.dtype} of shape "
                f"{tuple(images.shape)}: choose the dataset stacked-mnist, or leave out --extractor"
            )
        found = self.digits(images.flatten(0, 1)[:, None])  # (N, 3, H, W) -> (3N, 1, H, W)
        assert found.logits is not None
        a, b, c = found.logits.log_softmax(1).unflatten(0, (-1, 3)).unbind(1)  # (3N, 10) -> (N, 3, 10) -> 3 of (N, 10)
        joint = a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]  # (N, 10, 10, 10)
        return Extracted(found.features.unflatten(0, (-1, 3)).flatten(1), joint.flatten(1))


def stacked_mnist_cnn(params: NoParams) -> Extractor:
    """Return the classifier of stacked MNIST."""
    return StackedExtractor(mnist_cnn(params))
