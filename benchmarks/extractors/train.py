"""Train the digit classifiers that ganzoo ships as feature networks.

    python benchmarks/extractors/train.py digits
    python benchmarks/extractors/train.py mnist --data-root ../shared/data

Only the training split is trained on; the test split is measured after the last step. The weights go to
ganzoo/zoo/extractors/weights/, and the printed hash belongs in ganzoo/zoo/extractors/classifier.py.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torchvision.datasets import MNIST

from ganzoo.zoo.extractors import classifier
from ganzoo.zoo.extractors.classifier import Classifier, Design, normalise

ROOT = Path(__file__).parents[2]
DIGITS_FILE = ROOT / "ganzoo" / "zoo" / "datasets" / "digits.npz"


@dataclass(frozen=True)
class Task:
    """One classifier and how it is trained."""

    design: Design
    epochs: int
    batch_size: int
    lr: float = 3e-3
    weight_decay: float = 1e-2
    decorrelation: float = 0.3
    """Weight of the penalty on correlations between features."""


TASKS = {
    "digits": Task(classifier.DIGITS, epochs=80, batch_size=64),
    "mnist": Task(classifier.MNIST, epochs=8, batch_size=128),
}


class Split:
    """Images, uint8 of shape (N, 1, H, W), and labels, int64 of shape (N,)."""

    def __init__(self, pixels: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> None:
        self.images = normalise(torch.as_tensor(pixels).float())
        self.labels = torch.as_tensor(labels).long()


def digits(data_root: Path) -> tuple[Split, Split]:
    """Return the training and test split of the built-in digits: image i is a test image when i % 3 == 2."""
    with np.load(DIGITS_FILE) as file:
        pixels, labels = file["pixels"], file["labels"]
    test = np.arange(len(labels)) % 3 == 2
    return Split(pixels[~test], labels[~test]), Split(pixels[test], labels[test])


def mnist(data_root: Path) -> tuple[Split, Split]:
    """Return MNIST's own training and test split."""
    train, test = (MNIST(data_root, train=train) for train in (True, False))
    return Split(train.data[:, None], train.targets), Split(test.data[:, None], test.targets)


def augment(images: Tensor, rng: Generator) -> Tensor:
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


def correlation(features: Tensor) -> Tensor:
    """Return the mean square of the correlations between features that have mean 0 and variance 1.

    Without it the features of a classifier fall into a nine-dimensional space (Papyan, Han and Donoho, 2020) and a
    distance between them sees little but the class.
    """
    n, d = features.shape
    matrix = features.T @ features / n  # (D, D)
    return (matrix - torch.eye(d)).square().sum() / (d * (d - 1))


def train(task: Task, data: Split, rng: Generator) -> Classifier:
    """Return a classifier trained with AdamW under a one-cycle learning rate."""
    network = Classifier(task.design).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=task.weight_decay)
    steps = len(data.labels) // task.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, task.lr, total_steps=task.epochs * steps)
    for epoch in range(task.epochs):
        total = 0.0
        for batch in torch.randperm(len(data.labels), generator=rng).split(task.batch_size)[:steps]:
            features, logits = network(augment(data.images[batch], rng))
            error = F.cross_entropy(logits, data.labels[batch])  # unsmoothed: an unsure classifier lowers every score
            optimizer.zero_grad()
            (error + task.decorrelation * correlation(features)).backward()
            optimizer.step()
            schedule.step()
            total += error.item()
        print(f"epoch {epoch + 1}/{task.epochs}: cross-entropy {total / steps:.3f}", flush=True)
    return network.eval()


@torch.no_grad()
def accuracy(network: Classifier, data: Split) -> float:
    """Return the share of images whose class is right."""
    right = [
        (network(images).logits.argmax(1) == labels).sum().item()
        for images, labels in zip(data.images.split(500), data.labels.split(500), strict=True)
    ]
    return sum(right) / len(data.labels)


@torch.no_grad()
def rank(network: Classifier, data: Split) -> float:
    """Return the effective rank of the test features: the exponential of their spectrum's entropy."""
    spectrum = torch.linalg.eigvalsh(network(data.images[:2000]).features.T.cov()).clamp(min=1e-12)
    share = spectrum / spectrum.sum()
    return math.exp(-(share * share.log()).sum())


def save(network: Classifier, path: Path) -> str:
    """Write the weights and return the file's sha256."""
    content = safetensors.torch.save({name: value.contiguous() for name, value in network.state_dict().items()})
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    """Train one classifier, save it and print what it can do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--data-root", type=Path, default=ROOT.parent / "shared" / "data", help="folder with MNIST/raw")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    task = TASKS[arguments.task]
    data, test = {"digits": digits, "mnist": mnist}[arguments.task](arguments.data_root)
    start = time.perf_counter()
    network = train(task, data, torch.Generator().manual_seed(arguments.seed))
    seconds = time.perf_counter() - start
    path = classifier.WEIGHTS / task.design.file
    digest = save(network, path)
    print(f"{arguments.task}: test accuracy {accuracy(network, test):.4%}, {len(test.labels)} images")
    print(f"effective rank of {task.design.features} features: {rank(network, test):.1f}; trained in {seconds:.0f} s")
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
