"""A user's own zip of images, as StyleGAN's dataset_tool writes it. No torch: the plan reads its directory too.

Images lie at any depth. `dataset.json` is optional: `{"labels": [[path, class], ...]}`, where a class is a number from
0 (Karras et al., 2020, github.com/NVlabs/stylegan2-ada-pytorch, dataset_tool.py). Labels that are vectors, such as
camera poses, are not classes: such a zip counts as unlabelled.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from ganzoo.api import DataInfo, Images, Split
from ganzoo.data.decode import Shape, Source, decode_image, decode_once
from ganzoo.data.locate import is_hidden, is_image, locate_split
from ganzoo.errors import DataError
from ganzoo.zoo.specs.datasets import ZipParams

LABELS = "dataset.json"
MOST_CLASSES = 1_000_000
"""Labels beyond are numbers of something else, such as hashes; a network with as many classes fits nowhere."""


def describe(params: ZipParams, root: Path) -> DataInfo:
    """Count images and classes; of the images only the first is opened, and only where its shape matters."""
    with open_zip(_path(params, root, "train")) as archive:
        train = members_of(archive)
        labels = _labels(archive, train)
        shape = _shape(archive, train[0], params)
    classes = 0 if labels is None else int(labels.max()) + 1
    test = list[str]()
    if params.test:
        with open_zip(_path(params, root, "test")) as archive:
            test = members_of(archive)
            _labels_of_split(archive, test, classes)
    return DataInfo(shape, len(train), len(test), classes)


def load(params: ZipParams, root: Path, split: Split) -> Images:
    """Return a split's images of the training split's shape, in order of their paths."""
    path = _path(params, root, split)
    info = describe(params, root)
    with open_zip(path) as archive:
        members = members_of(archive)
        labels = _labels_of_split(archive, members, info.classes)
        sources = [source_of(archive, member) for member in members]
        return Images(decode_once(sources, [path], info.shape, params.channels, params.size), labels)


def _path(params: ZipParams, root: Path, split: Split) -> Path:
    """Return a split's zip."""
    path = locate_split("zip", params.path, params.test, root, split)
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a zip: write folder:path={path}")
    return path


def open_zip(path: Path) -> ZipFile:
    """Open a zip; DataError where it is none."""
    try:
        return ZipFile(path)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} is not a readable zip ({error}): it is cut short or something else; copy or make it again"
        ) from error


def members_of(archive: ZipFile) -> list[str]:
    """Return the sorted names of a zip's images; DataError where there are none."""
    names = sorted({name for name in archive.namelist() if _visible(name) and is_image(_last(name))})
    if not names:
        raise DataError(f"{archive.filename} holds no images: put .png, .jpg or .webp files in it")
    return names


def _visible(name: str) -> bool:
    """Tell whether no folder of a path is hidden."""
    return not any(is_hidden(part) for part in name.split("/"))


def _last(name: str) -> str:
    """Return a member's name without its folders."""
    return name.rpartition("/")[2]


def source_of(archive: ZipFile, member: str) -> Source:
    """Return where an image's bytes come from; a ZipFile may be read from several threads."""
    return Source(f"{member} in {archive.filename}", partial(archive.read, member))


def _shape(archive: ZipFile, first: str, params: ZipParams) -> Shape:
    """Return the shape of the images: as the parameters say, and for the rest as the first image is."""
    if params.channels and params.size:
        return params.channels, params.size, params.size
    channels, height, width = decode_image(source_of(archive, first), params.channels, params.size).shape
    return channels, height, width


def _labels_of_split(archive: ZipFile, members: list[str], classes: int) -> np.ndarray | None:
    """Return int64 (N,) below `classes`, the number that the training split has; None where that is 0."""
    if not classes:
        return None
    labels = _labels(archive, members)
    if labels is None or labels.max() >= classes:
        found = "no classes" if labels is None else f"class {labels.max()}"
        raise DataError(
            f"{archive.filename} has {found}, the training images have 0 to {classes - 1}: give its {LABELS} the same"
        )
    return labels


def _labels(archive: ZipFile, members: list[str]) -> np.ndarray | None:
    """Return int64 (N,) from the topmost dataset.json; None where there is none, or where it names no classes."""
    files = [name for name in archive.namelist() if _last(name) == LABELS and _visible(name)]
    if not files:
        return None
    file = min(files, key=lambda name: (name.count("/"), name))
    where = f"{file} in {archive.filename}"
    pairs = _pairs(archive, file, where)
    if all(isinstance(label, list) for label in pairs.values()):
        return None
    keys = [name.removeprefix(file.removesuffix(LABELS)) for name in members]
    missing = [key for key in keys if key not in pairs]
    if missing:
        raise DataError(f"{where} lacks labels for {len(missing)} of {len(keys)} images, first {missing[0]}: add them")
    labels = [pairs[key] for key in keys]
    wrong = [label for label in labels if type(label) is not int or not 0 <= label < MOST_CLASSES]
    if wrong:
        raise DataError(f"{where}: label {wrong[0]!r} is not a class; number the classes 0, 1, 2, ...")
    return np.array(labels, np.int64)


def _pairs(archive: ZipFile, file: str, where: str) -> dict[str, Any]:
    """Return path -> label of a dataset.json; empty where its labels are null, as dataset_tool writes for none."""
    try:
        pairs = json.loads(archive.read(file))["labels"] or []
        return {str(path).replace("\\", "/"): label for path, label in pairs}
    except Exception as error:  # the zip's, the text's and the layout's own faults
        raise DataError(
            f'{where} cannot be read ({type(error).__name__}: {error}): write {{"labels": [[path, class], ...]}}'
        ) from error
