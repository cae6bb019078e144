"""What the classifiers are trained on and measured on, and how an image is varied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.datasets import MNIST

from ganzoo.zoo.datasets import archive
from ganzoo.zoo.extractors.classifier import normalise
from ganzoo.zoo.specs.datasets import ZipParams

DIGITS_FILE = Path(__file__).parents[2] / "ganzoo" / "zoo" / "datasets" / "digits.npz"


@dataclass(frozen=True)
class Split:
    """Images, float32 of shape (N, C, H, W) in [-1, 1], and labels, int64 of shape (N,)."""

    images: Tensor
    labels: Tensor

    def __getitem__(self, which: Tensor) -> Split:
        return Split(self.images[which], self.labels[which])


def split(pixels: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> Split:
    """Return a split of uint8 pixels of shape (N, C, H, W)."""
    return Split(normalise(torch.as_tensor(pixels).float()), torch.as_tensor(labels).long())


def digits(data_root: Path) -> tuple[Split, Split]:
    """Return the training and test split of the built-in digits: image i is a test image when i % 3 == 2."""
    with np.load(DIGITS_FILE) as file:
        pixels, labels = file["pixels"], file["labels"]
    test = np.arange(len(labels)) % 3 == 2
    return split(pixels[~test], labels[~test]), split(pixels[test], labels[test])


def mnist(data_root: Path) -> tuple[Split, Split]:
    """Return MNIST's own training and test split."""
    train, test = (MNIST(data_root, train=train) for train in (True, False))
    return split(train.data[:, None], train.targets), split(test.data[:, None], test.targets)


def cifar10(data_root: Path) -> tuple[Split, Split]:
    """Return CIFAR-10's own training and test split, from zips in StyleGAN's layout."""
    params = ZipParams(path="cifar10-train-32x32.zip", test="cifar10-test-32x32.zip")
    train, test = (archive.load(params, data_root, name) for name in ("train", "test"))
    assert train.labels is not None
    assert test.labels is not None
    return split(train.pixels, train.labels), split(test.pixels, test.labels)


def bend(images: Tensor, rng: Generator) -> Tensor:
    """Rotate by up to 12 degrees, scale and shear by up to 10 %, and shift by up to 7 % of the width."""
    n = len(images)
    draw = torch.empty(6, n).uniform_(-1, 1, generator=rng)
    angle, shear = draw[0] * math.radians(12), draw[1] * 0.1
    width, height = 1 + 0.1 * draw[2], 1 + 0.1 * draw[3]
    theta = torch.zeros(n, 2, 3)
    theta[:, 0] = torch.stack([width * angle.cos(), shear - angle.sin(), 0.14 * draw[4]], 1)
    theta[:, 1] = torch.stack([angle.sin(), height * angle.cos(), 0.14 * draw[5]], 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # what comes in from outside is background, -1


def mirror_and_shift(images: Tensor, rng: Generator) -> Tensor:
    """Mirror half of the images and shift each by up to 2 pixels, reflecting what is inside at the border."""
    n, _, height, width = images.shape
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    down, right, mirrored = (torch.randint(high, (n, 1), generator=rng) for high in (5, 5, 2))
    rows, columns = torch.arange(height) + down, torch.arange(width) + right  # (N, H), (N, W)
    columns = torch.where(mirrored == 1, columns.flip(1), columns)
    picked = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
    return picked.permute(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W), channels last in memory
