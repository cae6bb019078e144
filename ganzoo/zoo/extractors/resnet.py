"""A residual classifier of CIFAR-10 as a feature network: small enough to ship.

Trained by benchmarks/extractors/train.py on the training split alone.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from ganzoo.api import Extractor, NoParams
from ganzoo.zoo.extractors.classifier import Classifier, ClassifierExtractor, Design


class Stage(nn.Module):
    """A convolution that halves height and width, and a residual one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shrink = nn.Sequential(convolution(inputs, outputs), nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU())
        self.residual = nn.Sequential(convolution(outputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H // 2, W // 2)."""
        maps = self.shrink(maps)
        return maps + self.residual(maps)


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def residual_classifier(widths: tuple[int, int, int], features: int) -> Classifier:
    """Return a network for 32x32 colour images, with `widths` channels after each of its stages.

    The body is that of ResNet-9 as it became fast: 2x2 patches are whitened first (Page, 2018, "How to train your
    ResNet"), by filters that training computes and leaves alone (Jordan, 2024, arXiv:2404.00498, section 3.1).
    """
    channels = (24, *widths)  # 24: both signs of the 12 principal components of a patch
    body = nn.Sequential(
        nn.Conv2d(3, channels[0], 2),  # (N, 3, 32, 32) -> (N, 24, 31, 31)
        nn.ReLU(),
        *[Stage(*pair) for pair in pairwise(channels)],  # (N, 24, 31, 31) -> (N, width, 3, 3)
        nn.MaxPool2d(3),
        nn.Flatten(),  # (N, width, 1, 1) -> (N, width)
    )
    return Classifier(body, channels[-1], features)


CIFAR10 = Design(
    "cifar10-resnet.safetensors",
    "2f5c95b24db0a2a2efd0659fae4bcd509958689544eb67c9812f42cd2cc11fc6",
    channels=3,
    size=32,
    build=partial(residual_classifier, (64, 192, 256), 128),
)


def cifar10_resnet(params: NoParams) -> Extractor:
    """Return the classifier of CIFAR-10."""
    return ClassifierExtractor(CIFAR10)
