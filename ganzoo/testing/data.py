"""Checks of what a dataset gives: its description, its splits, and that they are the same every time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import numpy as np
import torch

from ganzoo.api import DataInfo, DatasetSpec, Images, Split
from ganzoo.data.batches import Batches
from ganzoo.errors import DataError
from ganzoo.paths import data_root
from ganzoo.testing.check import BrokenClaimError, Check, NotTried, check, require
from ganzoo.testing.rehearsal import BATCH
from ganzoo.testing.state import no_global_randomness
from ganzoo.testing.subject import Subject

DATASET = ("dataset",)
SPLITS: tuple[Split, Split] = ("train", "test")


def described(subject: Subject) -> DataInfo:
    """Return what the spec says of the data; NotTried where the data is not on this machine."""
    spec = cast("DatasetSpec", subject.spec)
    try:
        return _valid(spec.describe(subject.params, data_root()))
    except DataError as error:
        raise NotTried(f"its data is not here: {error}") from None


def _valid(info: Any) -> DataInfo:
    """Return what a dataset's `describe` gave, where its numbers can be."""
    if not isinstance(info, DataInfo):
        raise BrokenClaimError(f"describe gives {type(info).__name__}, not a ganzoo.api.DataInfo")
    whole: Collection[Any] = (*info.shape, info.train, info.test, info.classes)
    require(len(info.shape) == 3 and all(type(number) is int for number in whole), f"describe gives {info}")
    require(min(info.shape) > 0 and info.train > 0 and min(info.test, info.classes) >= 0, f"describe gives {info}")
    return info


def loaded(subject: Subject, split: Split) -> Images:
    """Return a split; NotTried where the data is not on this machine."""
    try:
        return subject.target(subject.params, data_root(), split)
    except DataError as error:
        raise NotTried(f"its data is not here: {error}") from None


@check("describe", DATASET, "contract", fix="return DataInfo(shape=(C, H, W), train=..., test=..., classes=...)")
def _describes_itself(subject: Subject) -> None:
    """Plans are made from the description: shapes, counts and classes have to be there before a pixel is read."""
    described(subject)


@check("as-described", DATASET, "contract", fix="make the arrays what describe says, or describe what they are")
def _arrays_are_as_described(subject: Subject) -> None:
    """A run that finds other data than was planned for stops at its start."""
    info = described(subject)
    for split, count in zip(SPLITS, (info.train, info.test), strict=True):
        if not count:
            continue
        images = loaded(subject, split)
        require(isinstance(images, Images), f"{split}: it gives {type(images).__name__}, not ganzoo.api.Images")
        pixels, labels = images
        found, wanted = (str(pixels.dtype), pixels.shape), (info.dtype, (count, *info.shape))
        require(found == wanted, f"{split}: it holds {found[0]} of shape {found[1]}, and describe says {wanted}")
        if info.dtype == "float32":
            inside = bool(np.isfinite(pixels).all() and np.abs(pixels).max() <= 1)
            require(inside, f"{split}: points reach from {pixels.min():.3g} to {pixels.max():.3g}, not within [-1, 1]")
        else:
            brightest = pixels.max()
            require(brightest > 1, f"{split}: the brightest pixel is {brightest} of 255, as of floats that were cast")
        require(
            (labels is not None) == (info.classes > 0), f"{split}: labels and describe's {info.classes} classes differ"
        )
        if labels is not None:
            kind = f"{split}: labels are {labels.dtype} of shape {labels.shape}, not int64 of shape ({count},)"
            require(labels.dtype == np.int64 and labels.shape == (count,), kind)
            outside = f"{split}: labels reach from {labels.min()} to {labels.max()}, of {info.classes} classes"
            require(labels.min() >= 0 and labels.max() < info.classes, outside)


@check("varied", DATASET, "behaviour", fix="read every image, and test images that are not in the training split")
def _images_differ(subject: Subject) -> None:
    """A split of one image, or a test split that repeats the training images, makes every score flattering."""
    info = described(subject)
    train = loaded(subject, "train").pixels
    require(len(train) == 1 or bool((train != train[0]).any()), "all training images are the same")
    if info.test and info.test <= info.train:
        same = np.array_equal(loaded(subject, "test").pixels, train[: info.test])
        require(not same, "the test images are the first of the training images")


@check(
    "deterministic", DATASET, "behaviour", fix="sort what you list, and draw from a seed that is written in the code"
)
def _equal_loads_are_equal(subject: Subject) -> None:
    """Runs are compared on the same images in the same order, on every machine."""
    for split in SPLITS[: 2 if described(subject).test else 1]:
        first, second = loaded(subject, split), loaded(subject, split)
        same = np.array_equal(first.pixels, second.pixels)
        require(same, f"{split}: loading twice gives other images, or another order")
        labels = [one.labels for one in (first, second) if one.labels is not None]
        equal = not labels or np.array_equal(labels[0], labels[-1])
        require(equal, f"{split}: loading twice gives other labels")


@check(
    "own-randomness", DATASET, "behaviour", fix="draw from numpy.random.default_rng(SEED), and from no global generator"
)
def _global_generators_stay(subject: Subject) -> None:
    """Whoever loads data must not change what is drawn after it."""
    described(subject)
    with no_global_randomness():
        loaded(subject, "train")


@check("batches", DATASET, "behaviour", fix="give enough images for a batch")
def _makes_a_batch(subject: Subject) -> None:
    """Trainers draw batches without replacement."""
    info = described(subject)
    require(info.train >= BATCH, f"it has {info.train} training images, fewer than a batch of {BATCH}")
    images, _ = Batches(loaded(subject, "train"), BATCH, 0, torch.device("cpu")).draw()
    require(images.shape == (BATCH, *info.shape), f"a batch has shape {tuple(images.shape)}")
    require(bool((images.abs() <= 1).all()), "a batch is not within [-1, 1]")


CHECKS: tuple[Check, ...] = (
    _describes_itself,
    _arrays_are_as_described,
    _images_differ,
    _equal_loads_are_equal,
    _global_generators_stay,
    _makes_a_batch,
)
