"""A dataset component becomes arrays and a hash of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzoo.api import DataInfo, DatasetSpec, Images
from ganzoo.errors import DataError
from ganzoo.planning.run import Part
from ganzoo.registry.lookup import build_target


@dataclass(frozen=True)
class Dataset:
    """Both splits of a dataset and a hash of all their bytes."""

    label: str
    train: Images
    test: Images | None
    sha256: str


def load_dataset(part: Part, root: Path) -> Dataset:
    """Read a dataset's splits and check them against what its spec describes.

    Raises:
        DataError: the data is missing, damaged, or not as described.
    """
    spec = part.component.usable_spec
    assert isinstance(spec, DatasetSpec)
    load, params = build_target(part.component), part.typed_params
    info = spec.describe(params, root)
    train = _checked(load(params, root, "train"), info, info.train, f"{part.label}, train")
    test = _checked(load(params, root, "test"), info, info.test, f"{part.label}, test") if info.test else None
    return Dataset(part.label, train, test, _digest(train, test))


def _checked(images: Images, info: DataInfo, count: int, what: str) -> Images:
    pixels, labels = images
    if pixels.dtype != info.dtype or pixels.shape != (count, *info.shape):
        described = f"{info.dtype} {(count, *info.shape)}"
        raise DataError(f"{what}: holds {pixels.dtype} of shape {pixels.shape}, and its spec describes {described}")
    if labels is not None and labels.shape != (len(pixels),):
        raise DataError(f"{what}: {len(pixels)} images and labels of shape {labels.shape}")
    return images


def _digest(*splits: Images | None) -> str:
    digest = hashlib.sha256()
    for images in splits:
        for array in images or ():
            if array is not None:
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
