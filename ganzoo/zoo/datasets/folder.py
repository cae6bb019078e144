"""A user's own folder of images; sub-folders are classes. No torch: the plan lists the folder too."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganzoo.api import DataInfo, Images, Split
from ganzoo.data.decode import Source, decode_once
from ganzoo.data.locate import images_and_folders, images_below, listing, locate_split
from ganzoo.errors import DataError
from ganzoo.zoo.specs.datasets import FolderParams


class Listed(NamedTuple):
    """An image and the sub-folder that it was found in, "" where it lies in the folder itself."""

    group: str
    file: Path


def describe(params: FolderParams, root: Path) -> DataInfo:
    """Count images and classes without opening a file."""
    train = _scan(_folder(params, root, "train"))
    test = _scan(_folder(params, root, "test")) if params.test else []
    classes = _classes(train)
    _labels(test, classes, params)
    return DataInfo((params.channels, params.size, params.size), len(train), len(test), len(classes))


def load(params: FolderParams, root: Path, split: Split) -> Images:
    """Return a split's images of shape (channels, size, size), in order of class, then of path."""
    train = _scan(_folder(params, root, "train"))
    chosen = train if split == "train" else _scan(_folder(params, root, split))
    labels = _labels(chosen, _classes(train), params)
    sources = [Source(str(file), file.read_bytes) for _, file in chosen]
    shape = (params.channels, params.size, params.size)
    files = [file for _, file in chosen]
    return Images(decode_once(sources, files, shape, params.channels, params.size), labels)


def _folder(params: FolderParams, root: Path, split: Split) -> Path:
    """Return a split's folder."""
    folder = locate_split("folder", params.path, params.test, root, split)
    if not folder.is_dir():
        hint = f"for a zip write zip:path={folder}" if folder.suffix == ".zip" else "name the folder that holds it"
        raise DataError(f"{folder} is a file, not a folder of images: {hint}")
    return folder


def _scan(folder: Path) -> list[Listed]:
    """List all images: those of the folder itself, or those at any depth of its sub-folders."""
    with listing():
        flat, groups = images_and_folders(folder)
        grouped = [Listed(group, file) for group in groups for file in images_below(folder / group)]
    if flat and grouped:
        raise DataError(
            f"{folder} holds images itself ({flat[0]}) and in sub-folders ({grouped[0].group}): move all of them into "
            "one sub-folder a class, or all out of them"
        )
    if not flat and not grouped:
        raise DataError(f"{folder} holds no images: put .png, .jpg, .webp, .bmp, .tif, .gif or .ppm files there")
    return grouped or [Listed("", folder / name) for name in flat]


def _classes(train: list[Listed]) -> list[str]:
    """Return the names of the classes; a single sub-folder is a place, not a class."""
    groups = sorted({image.group for image in train})
    return groups if len(groups) > 1 else []


def _labels(images: list[Listed], classes: list[str], params: FolderParams) -> np.ndarray | None:
    """Return int64 (N,), numbered as the training split's classes; None where there are no classes."""
    if not classes:
        return None
    number = {name: i for i, name in enumerate(classes)}
    stranger = next((image for image in images if image.group not in number), None)
    if stranger:
        raise DataError(
            f"{stranger.file} is in none of the class folders of {params.path} ({', '.join(classes[:5])}"
            f"{', ...' if len(classes) > 5 else ''}): the test split must have the same class folders"
        )
    return np.array([number[image.group] for image in images], np.int64)
