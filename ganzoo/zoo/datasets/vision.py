"""The datasets that torchvision knows: MNIST, Fashion-MNIST and CIFAR-10, downloaded where they are missing."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock
from torchvision import datasets

from ganzoo.api import Images, NoParams, Split
from ganzoo.errors import DataError, words_of
from ganzoo.zoo.downloads import patience

log = logging.getLogger(__name__)


def load_mnist(params: NoParams, root: Path, split: Split) -> Images:
    """Return 60,000 training or 10,000 test images of shape (1, 28, 28)."""
    return _load_idx(datasets.MNIST, root, split)


def load_fashion_mnist(params: NoParams, root: Path, split: Split) -> Images:
    """Return 60,000 training or 10,000 test images of shape (1, 28, 28)."""
    return _load_idx(datasets.FashionMNIST, root, split)


def load_cifar10(params: NoParams, root: Path, split: Split) -> Images:
    """Return 50,000 training or 10,000 test images of shape (3, 32, 32)."""
    source = datasets.CIFAR10
    names = [name for name, _ in (*source.train_list, *source.test_list)] + [source.meta["filename"]]
    folder = root / source.base_folder
    _fetch(source, root, folder, names, f"{', '.join(names)}, or {source.filename} in {root}")
    with _reading(folder):
        stored = source(root, train=split == "train", download=False)
        pixels = stored.data.transpose(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
        return _checked(pixels, np.asarray(stored.targets), (50_000 if split == "train" else 10_000, 3, 32, 32))


def _load_idx(source: type[datasets.MNIST], root: Path, split: Split) -> Images:
    """Load a dataset that is stored as MNIST is: two files a split."""
    folder = root / source.__name__ / "raw"
    names = [Path(name).stem for name, _ in source.resources]
    _fetch(source, root, folder, names, f"{', '.join(names)} (or the same with .gz)")
    with _reading(folder):
        stored = source(root, train=split == "train", download=False)
        pixels = stored.data.numpy()[:, None]  # (N, H, W) -> (N, 1, H, W)
        return _checked(pixels, stored.targets.numpy(), (60_000 if split == "train" else 10_000, 1, 28, 28))


def _checked(pixels: np.ndarray, labels: np.ndarray, shape: tuple[int, int, int, int]) -> Images:
    """Return the images where they are as many and as large as published; ValueError where not."""
    if pixels.shape != shape or labels.shape != shape[:1]:
        raise ValueError(f"{pixels.shape} images with {labels.shape} labels, expected {shape}")
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"labels from {labels.min()} to {labels.max()}, expected 0 to 9")
    return Images(np.ascontiguousarray(pixels, dtype=np.uint8), labels.astype(np.int64))


def _fetch(
    source: type[datasets.MNIST | datasets.CIFAR10], root: Path, folder: Path, names: list[str], wanted: str
) -> None:
    """Download a dataset unless all its files are there; one process at a time, since torchvision writes in place."""
    if all((folder / name).is_file() for name in names):
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        log.info("downloading %s to %s", source.__name__, folder)
        with FileLock(root / f".{source.__name__}.lock"), _quiet(), patience():
            source(root, download=True)
    except Exception as error:  # torchvision, urllib, gzip and tarfile each raise their own
        missing = next((name for name in names if not (folder / name).is_file()), "a file")
        reason = words_of(error) or type(error).__name__
        raise DataError(
            f"{source.__name__}: {folder / missing} is missing and the download failed ({reason}). Put these files "
            f"in {folder}: {wanted}; or name the folder that holds {folder.relative_to(root)} with --data-root"
        ) from error


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn what a damaged file makes torchvision raise into a DataError."""
    try:
        with _quiet():
            yield
    except Exception as error:  # a bad header, a short file and a bad pickle raise anything
        reason = words_of(error) or type(error).__name__
        raise DataError(
            f"the files in {folder} are damaged ({reason}): delete that folder to download them again, or put good "
            "copies there"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence torchvision's prints and progress bars, and NumPy's complaint about CIFAR-10's old pickles."""
    nowhere = io.StringIO()
    with (
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        warnings.catch_warnings(action="ignore"),
    ):
        yield
