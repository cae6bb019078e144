"""The classifiers that ganzoo ships and how each of them is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import data
import torch
import torch.nn.functional as F
from data import Split
from torch import Generator, Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ganzoo.zoo.extractors import classifier, resnet
from ganzoo.zoo.extractors.classifier import Classifier, Design


def adamw(network: Classifier) -> Optimizer:
    """Return the optimizer of the digit classifiers."""
    return AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)


def sgd(network: Classifier) -> Optimizer:
    """Return Nesterov SGD whose batch norms keep their scale and learn their shift 64 times as fast.

    Learning rate, momentum and decay are those of Jordan (2024, arXiv:2404.00498, listing 4) for batches of 512. The
    head, whose inputs are standardised here, learns at a tenth of that rate.
    """
    lr, decay = 0.75, 1.3e-3
    norms = [module for module in network.body.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.weight.requires_grad_(False)
    shifts = [norm.bias for norm in norms]
    head = list(network.head.parameters())
    apart = {*shifts, *head}
    weights = [p for p in network.parameters() if p.requires_grad and p not in apart]
    groups = [
        {"params": weights, "lr": lr, "weight_decay": decay},
        {"params": shifts, "lr": 64 * lr, "weight_decay": decay / 64},
        {"params": head, "lr": 0.1 * lr, "weight_decay": decay},
    ]
    return SGD(groups, momentum=0.85, nesterov=True)


def as_drawn(network: Classifier, images: Tensor) -> None:
    """Start from random weights alone."""


def whiten(network: Classifier, images: Tensor) -> None:
    """Make the first convolution give the whitened principal components of 2x2 patches, and keep it so."""
    first = next(network.body.children())
    assert isinstance(first, nn.Conv2d)
    patches = F.unfold(images[:5000], 2).transpose(1, 2).flatten(0, 1)  # (N, 12, L) -> (N * L, 12)
    values, vectors = torch.linalg.eigh(patches.T.cov())
    filters = (vectors / (values + 1e-4).sqrt()).T.reshape(-1, *first.weight.shape[1:])  # (12, 3, 2, 2)
    with torch.no_grad():
        first.weight.copy_(torch.cat([filters, -filters]))
    first.weight.requires_grad_(False)


@dataclass(frozen=True)
class Task:
    """One classifier and how it is trained."""

    design: Design
    splits: Callable[[Path], tuple[Split, Split]]
    augment: Callable[[Tensor, Generator], Tensor]
    epochs: int
    batch_size: int
    held_out: int
    """Training images that a network is not trained on, for its temperature."""
    cross_fit: bool = False
    """Whether each image is held out once, from a network of its own, and the network that ships learns from all."""
    prepare: Callable[[Classifier, Tensor], None] = as_drawn
    optimizer: Callable[[Classifier], Optimizer] = adamw
    warmup: float = 0.3
    """Share of the steps in which the learning rate rises."""
    momenta: tuple[float, float] = (0.85, 0.95)
    """At the highest and at the lowest learning rate; Adam's first beta where the optimizer is Adam."""
    smoothing: float = 0.0
    """Of the labels; the temperature undoes what it does to the confidence."""
    bfloat16: bool = False
    """Whether training multiplies in bfloat16; measuring never does."""
    float16: bool = False
    """Whether the weights of convolutions and linear layers are stored in half their size."""
    decorrelation: float = 0.3
    """Weight of the penalty on correlations between features."""


TASKS = {
    "digits": Task(classifier.DIGITS, data.digits, data.bend, epochs=80, batch_size=64, held_out=120, cross_fit=True),
    "mnist": Task(classifier.MNIST, data.mnist, data.bend, epochs=8, batch_size=128, held_out=5000),
    "cifar10": Task(
        resnet.CIFAR10,
        data.cifar10,
        data.mirror_and_shift,
        epochs=18,
        batch_size=512,
        held_out=2500,
        prepare=whiten,
        optimizer=sgd,
        warmup=0.2,
        momenta=(0.85, 0.85),
        smoothing=0.2,
        bfloat16=True,
        float16=True,
    ),
}
