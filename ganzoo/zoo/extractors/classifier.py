"""Classifiers as feature networks, and those of digits: small enough to ship, so that scores need no download.

All were trained by benchmarks/extractors/train.py on the training split alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.api import Extracted, Extractor, NoParams
from ganzoo.errors import WeightsError
from ganzoo.zoo.extractors.folding import fold

WEIGHTS = Path(__file__).parent / "weights"
CHUNK = 128
"""Images per pass on a CPU, however many the caller brings.

The tensors of more are so large that glibc gives their memory back each time, and the system has to clear it anew.
"""


class Classifier(nn.Module):
    """A body, a bottleneck of standardised features, and ten logits.

    The features are the last batch norm's output before its ReLU. Having no affine part, it gives each of them mean 0
    and variance 1 over the training images: none is dead and none outweighs the others in a distance.
    """

    def __init__(self, body: nn.Module, width: int, features: int) -> None:
        """Put a bottleneck and a head on a body that maps images to (N, width)."""
        super().__init__()
        self.body = body
        self.bottleneck = nn.Sequential(nn.Linear(width, features, bias=False), nn.BatchNorm1d(features, affine=False))
        self.head = nn.Linear(features, 10)

    def forward(self, images: Tensor) -> Extracted:
        """Map images of shape (N, C, size, size) in [-1, 1] to features and logits."""
        features = self.bottleneck(self.body(images))
        return Extracted(features, self.head(F.relu(features)))


@dataclass(frozen=True)
class Design:
    """One classifier: what it looks at, its network, and which weights belong to it."""

    file: str
    sha256: str
    channels: int
    """Of its images: 1 for grey, 3 for colour."""
    size: int
    """Height and width of its images."""
    build: Callable[[], Classifier]
    """Return the network with fresh weights."""


def digit_classifier(size: int, widths: tuple[int, ...], features: int) -> Classifier:
    """Return a plain network for grey images: one convolution per stage, with `widths` channels after each."""
    channels = (1, *widths)
    stages = [stage(*pair) for pair in pairwise(channels)]
    side = size >> len(stages)
    body = nn.Sequential(*stages, nn.Flatten())  # (N, 1, size, size) -> (N, width * side * side)
    return Classifier(body, channels[-1] * side * side, features)


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """Return convolution, batch norm, pooling and ReLU: (N, inputs, H, W) -> (N, outputs, H // 2, W // 2).

    ReLU commutes with a maximum, and has a quarter of the places behind it.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.MaxPool2d(2), nn.ReLU()
    )


DIGITS = Design(
    "digits-cnn.safetensors",
    "0909e7b177a9cd95d08f8fdc013aa5fc56900baba4b68a115c4a026b53c00e72",
    channels=1,
    size=8,
    build=partial(digit_classifier, 8, (48, 96), 32),
)
MNIST = Design(
    "mnist-cnn.safetensors",
    "66613505f4a158fd6dd277a75c0d9022e5f5514b510bd3d92c0be38309b76681",
    channels=1,
    size=28,
    build=partial(digit_classifier, 28, (32, 64, 96), 64),
)


class ClassifierExtractor:
    """A trained classifier behind the Extractor contract."""

    def __init__(self, design: Design, folder: Path = WEIGHTS) -> None:
        """Load the weights of a design.

        Raises:
            WeightsError: the weights are missing or not the ones that belong to the design.
        """
        self.channels = design.channels
        self.size = design.size
        self.sha256 = design.sha256
        self.resize = f"bilinear, antialiased, to {design.size}x{design.size}"
        self.network = load(design, folder / design.file)
        fold(self.network)
        self.network.to(memory_format=torch.channels_last)

    def to(self, device: torch.device | str) -> ClassifierExtractor:
        """Move to a device and return self."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 1 or 3, H, W) to features (N, D) and logits (N, 10), float32.

        To a network of grey images, colour is grey by the mean of its channels; to one of colour images, grey is the
        same in each of them. So grey repeated to three channels is that grey again.
        """
        found = [self._look(part) for part in images.split(CHUNK if images.device.type == "cpu" else len(images))]
        return Extracted(*map(torch.cat, zip(*found, strict=True)))

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map a few images to features and logits."""
        pixels = images.float()
        pixels = pixels.mean(1, keepdim=True) if self.channels == 1 else pixels.expand(-1, 3, -1, -1)
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = F.interpolate(pixels, (self.size, self.size), mode="bilinear", antialias=True)
        features, logits, _ = self.network(normalise(pixels).contiguous(memory_format=torch.channels_last))
        return features, logits


def normalise(images: Tensor) -> Tensor:
    """Map pixels from [0, 255] to [-1, 1]."""
    return images / 127.5 - 1


def load(design: Design, path: Path) -> Classifier:
    """Return the classifier in eval mode and float32, with the weights in a file whose hash has been checked."""
    with torch.device("meta"):  # no initialisation: it would draw from the global generator
        network = design.build()
    network.load_state_dict(read(path, design.sha256), assign=True)
    return network.float().eval().requires_grad_(False)  # float(): large weights lie in the file as float16


def read(path: Path, sha256: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file that must have this hash."""
    remedy = "reinstall ganzoo-core, or choose another feature network with --extractor NAME"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: the classifier's weights cannot be read ({error.strerror}); {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WeightsError(f"{path}: the classifier's weights have sha256 {found}, not {sha256}; {remedy}")
    return safetensors.torch.load(content)


def digits_cnn(params: NoParams) -> Extractor:
    """Return the classifier of the digits dataset."""
    return ClassifierExtractor(DIGITS)


def mnist_cnn(params: NoParams) -> Extractor:
    """Return the classifier of MNIST."""
    return ClassifierExtractor(MNIST)
