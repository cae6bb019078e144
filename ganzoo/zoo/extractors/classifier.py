"""Digit classifiers as feature networks: small enough to ship, so that scores need no download.

Both were trained by benchmarks/extractors/train.py on the training split alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.api import Extracted, Extractor, NoParams
from ganzoo.errors import WeightsError

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Design:
    """One classifier: what it looks at, how large it is and which weights belong to it."""

    file: str
    sha256: str
    size: int
    """Height and width of its images."""
    widths: tuple[int, ...]
    """Channels after each stage; a stage halves height and width."""
    features: int


DIGITS = Design(
    "digits-cnn.safetensors", "9004af872a9de6cb8d71f636d53a07830ce08c60556208e4587534c98e061422", 8, (48, 96), 32
)
MNIST = Design(
    "mnist-cnn.safetensors", "a87b56d1683c1aaaca2fb5ae99838fea0b99a49dfe4fc653682c66230f66f82a", 28, (32, 64, 96), 64
)


class Classifier(nn.Module):
    """Convolutions, a bottleneck of standardised features, and ten logits.

    The features are the last batch norm's output before its ReLU. Having no affine part, it gives each of them mean 0
    and variance 1 over the training images: none is dead and none outweighs the others in a distance.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        channels = (1, *design.widths)
        stages = [stage(*pair) for pair in pairwise(channels)]
        side = design.size >> len(stages)
        self.body = nn.Sequential(*stages, nn.Flatten())  # (N, 1, size, size) -> (N, width * side * side)
        self.bottleneck = nn.Sequential(
            nn.Linear(channels[-1] * side * side, design.features, bias=False),
            nn.BatchNorm1d(design.features, affine=False),
        )
        self.head = nn.Linear(design.features, 10)

    def forward(self, images: Tensor) -> Extracted:
        """Map images of shape (N, 1, size, size) in [-1, 1] to features and logits."""
        features = self.bottleneck(self.body(images))
        return Extracted(features, self.head(F.relu(features)))


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """Return convolution, batch norm, ReLU and pooling: (N, inputs, H, W) -> (N, outputs, H // 2, W // 2)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)
    )


class ClassifierExtractor:
    """A trained classifier behind the Extractor contract."""

    def __init__(self, design: Design, folder: Path = WEIGHTS) -> None:
        """Load the weights of a design.

        Raises:
            WeightsError: the weights are missing or not the ones that belong to the design.
        """
        self.size = design.size
        self.sha256 = design.sha256
        self.resize = f"bilinear, antialiased, to {design.size}x{design.size}"
        self.network = load(design, folder / design.file).to(memory_format=torch.channels_last)

    def to(self, device: torch.device | str) -> ClassifierExtractor:
        """Move to a device and return self."""
        self.network.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 1 or 3, H, W) to features (N, D) and logits (N, 10), float32.

        Colour becomes grey by the mean of its channels, so that grey repeated to three channels is that grey again.
        """
        grey = images.float().mean(1, keepdim=True)  # (N, C, H, W) -> (N, 1, H, W)
        if grey.shape[-2:] != (self.size, self.size):
            grey = F.interpolate(grey, (self.size, self.size), mode="bilinear", antialias=True)
        return self.network(normalise(grey).contiguous(memory_format=torch.channels_last))


def normalise(images: Tensor) -> Tensor:
    """Map pixels from [0, 255] to [-1, 1]."""
    return images / 127.5 - 1


def load(design: Design, path: Path) -> Classifier:
    """Return the classifier in eval mode, with the weights in a file whose hash has been checked."""
    with torch.device("meta"):  # no initialisation: it would draw from the global generator
        network = Classifier(design)
    network.load_state_dict(read(path, design.sha256), assign=True)
    return network.eval().requires_grad_(False)


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
