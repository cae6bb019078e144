"""Images to be scored, wherever they lie: a folder, a zip, an array file, a dataset's split or a trained run.

They are read in batches when they are asked for, so that memory does not grow with their number.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import linalg
from torch import Tensor

from ganzoo.api import DatasetSpec, Split
from ganzoo.data.decode import Source, decode_each
from ganzoo.data.locate import images_and_folders, images_below, listing
from ganzoo.errors import DataError, GanzooError
from ganzoo.evaluate.moments import Moments
from ganzoo.params import parse
from ganzoo.paths import exists, expanded
from ganzoo.planning.choice import choose
from ganzoo.planning.extractor import Own, own_extractor
from ganzoo.planning.request import Asked
from ganzoo.planning.run import Run
from ganzoo.planning.suite import Place
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import build_target
from ganzoo.results.store import read_json
from ganzoo.train.seeds import derive
from ganzoo.zoo.datasets.archive import members_of, open_zip, source_of

BATCH = 256
SCORING_SEED = 1
"""Seed of the samples that a run draws to be scored; `ganzoo sample` shows those of seed 0."""


@dataclass(frozen=True)
class Pictures:
    """Images of one kind."""

    label: str
    count: int
    read: Callable[[np.ndarray], Iterator[np.ndarray]]
    """(indices) -> those images, in that order, as uint8 batches (n, C, H, W); float32 points from a point dataset."""
    own: Own | None = None
    """The feature network that their dataset names; None if they are of no dataset."""
    metrics: tuple[str, ...] = ()
    """The metrics that their dataset names."""
    points: bool = False
    """Whether they are points in the plane instead of images."""


@dataclass(frozen=True)
class Statistics:
    """What pytorch-fid keeps of images: mean and covariance of their features, but not which network gave them."""

    label: str
    moments: Moments
    """Their count is unknown; it is set to the least with which the covariance can have full rank."""


def open_pictures(
    text: str, root: Path, samples: int | None = None, which: str = "best", device: str = "auto"
) -> Pictures | Statistics:  # fmt: skip
    """Return the images that a text names.

    Args:
        text: a folder or zip of images, an .npz or .npy file, a run's folder, or `dataset` or `dataset@test`.
        root: folder of datasets.
        samples: how many a run draws; None: as many as its scores are from.
        which: the run's checkpoint, `best` or `last`.
        device: where a run draws them.

    Raises:
        DataError: there is nothing of the kind, or it cannot be read.
    """
    path = expanded(text)
    if not exists(path):
        return _of_dataset(text, root)
    if _is_run(path):
        return _of_run(path, root, samples, which, device)
    if path.is_dir():
        return _of_folder(path)
    readers = {".zip": _of_zip, ".npz": _of_numpy, ".npy": _of_numpy}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path} is no folder, .zip, .npz or .npy: name the folder that holds it")
    return readers[path.suffix.lower()](path)


def _of_folder(folder: Path) -> Pictures:
    if (folder / "grid.json").exists() or any(folder.glob("seed-*/config.json")):
        raise DataError(f"{folder} holds the results of runs: name one of its runs, a seed-N folder")
    with listing():
        flat, folders = images_and_folders(folder)
        files = [folder / name for name in flat]
        files += [file for name in folders for file in images_below(folder / name)]
    return _of_sources(str(folder), [Source(str(file), file.read_bytes) for file in files])


def _of_zip(path: Path) -> Pictures:
    archive = open_zip(path)  # stays open as long as somebody may read from it
    return _of_sources(str(path), [source_of(archive, member) for member in members_of(archive)])


def _of_sources(label: str, sources: Sequence[Source]) -> Pictures:
    if not sources:
        raise DataError(f"{label} holds no images: put .png, .jpg, .webp, .bmp, .tif, .gif or .ppm files there")

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(indices), BATCH):
            images = decode_each([sources[i] for i in indices[start : start + BATCH]])
            for _, alike in groupby(images, key=lambda image: image.shape):
                yield np.stack(list(alike))

    return Pictures(label, len(sources), read)


def _of_numpy(path: Path) -> Pictures | Statistics:
    """Read what `np.save` or `np.savez` wrote, by how it begins; their suffixes are easily mixed up."""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}): make it again") from error
    return _of_npz(path) if zipped else _of_npy(path)


def _of_npz(path: Path) -> Pictures | Statistics:
    try:
        with path.open("rb") as file, np.load(file) as stored:
            if {"mu", "sigma"} <= set(stored.files):
                return _statistics(str(path), stored["mu"], stored["sigma"])
            arrays = {name: array for name in stored.files if (array := stored[name]).ndim == 4}
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): make it again") from error
    if len(arrays) != 1:
        held = f"{len(arrays)} arrays of images" if arrays else "no array of images"
        raise DataError(f"{path} holds {held}: save one, uint8 of shape (N, H, W, C), or mu and sigma")
    return _of_array(str(path), next(iter(arrays.values())))


def _statistics(label: str, mean: np.ndarray, covariance: np.ndarray) -> Statistics:
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise DataError(f"{label} holds mu of shape {mean.shape} and sigma of {covariance.shape}: save (D,) and (D, D)")
    if np.iscomplexobj(mean) or np.iscomplexobj(covariance):
        raise DataError(f"{label} holds complex statistics: save real ones")
    mean, covariance = mean.astype(np.float64), covariance.astype(np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise DataError(f"{label} holds statistics that are infinite or not a number: make them again")
    if not np.allclose(covariance, covariance.T, atol=1e-6 * covariance.max()) or _falls_below_zero(covariance):
        raise DataError(
            f"{label} holds a sigma that is no covariance: save a symmetric one without a variance below 0 in any "
            "direction"
        )
    return Statistics(label, Moments(mean, covariance, len(mean) + 1))


def _falls_below_zero(covariance: np.ndarray) -> bool:
    """Tell whether a symmetric matrix has an eigenvalue below zero by more than rounding.

    With fewer images than dimensions, E[x x^T] - mu mu^T in float32, or any sigma stored as float16, has eigenvalues
    down to -1e-4 of the largest.
    """
    eigenvalues = linalg.eigvalsh(covariance)
    return bool(eigenvalues[0] < -1e-3 * eigenvalues[-1])


def _of_npy(path: Path) -> Pictures:
    try:
        return _of_array(str(path), np.load(path, mmap_mode="r"))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}): make it again") from error


def _of_array(label: str, pixels: np.ndarray) -> Pictures:
    """Return images of shape (N, H, W, C), as published samples are, or (N, C, H, W), as PyTorch's."""
    if pixels.ndim == 4 and pixels.shape[1] not in (1, 3) and pixels.shape[3] in (1, 3):
        pixels = pixels.transpose(0, 3, 1, 2)  # (N, H, W, C) -> (N, C, H, W)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or 0 in pixels.shape[2:]:
        raise DataError(
            f"{label} is {pixels.dtype} of shape {pixels.shape}: save uint8 pixels of shape (N, H, W, 3) or "
            "(N, H, W, 1), or with the channels second"
        )
    return _in_memory(label, pixels)


def _in_memory(label: str, pixels: np.ndarray, own: Own | None = None, metrics: tuple[str, ...] = ()) -> Pictures:
    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        for start in range(0, len(indices), BATCH):
            yield pixels[indices[start : start + BATCH]]

    return Pictures(label, len(pixels), read, own, metrics, points=pixels.dtype != np.uint8)


def _of_dataset(text: str, root: Path) -> Pictures:
    """Return the split of a dataset: `mnist`, `mnist@test`, `zip:path=a.zip@train`."""
    split: Split = "test" if text.endswith("@test") else "train"
    name = text.removesuffix(f"@{split}")
    place = Place("against")
    try:
        (chosen,) = choose("dataset", [Asked(*parse(name), place)])
    except GanzooError as error:
        raise DataError(f"{text}: no such file or folder, and {error}; a dataset is written mnist@test") from None
    return _of_split(chosen, name, split, root)


def _of_split(chosen: Chosen, name: str, split: Split, root: Path) -> Pictures:
    spec = chosen.component.usable_spec
    assert isinstance(spec, DatasetSpec)
    info = chosen.ask("describe", chosen.params, root)
    if split == "test" and not info.test:
        raise DataError(f"{name} has no test split: write {name}@train")
    pixels = build_target(chosen.component)(chosen.params, root, split).pixels
    return _in_memory(f"{name}@{split}", pixels, own_extractor(chosen), spec.metrics)


def _is_run(folder: Path) -> bool:
    """Tell whether a folder is a run's, also of one that has not ended: what pictures it has are grids of samples."""
    return exists(folder / "result.json") or (exists(folder / "config.json") and exists(folder / "metrics.jsonl"))


def _of_run(folder: Path, root: Path, samples: int | None, which: str, device: str) -> Pictures:
    from ganzoo.sampler import Sampler  # noqa: PLC0415  (training code that images on disk need not wait for)

    sampler = Sampler.load(folder, which, device)
    count = samples or sampler.run.evaluation.samples
    drawn: dict[str, Any] = {}

    def read(indices: np.ndarray) -> Iterator[np.ndarray]:
        if not drawn:
            drawn["pixels"] = sampler.sample(count, SCORING_SEED, _classes(sampler.run, count, root)).numpy()
        yield from _in_memory("", drawn["pixels"]).read(indices)

    run = sampler.run
    evaluation = run.evaluation
    own = own_extractor(Chosen(run.dataset.component, run.dataset.typed_params))
    own = own if own.bound else Own(evaluation.extractor.label)
    return Pictures(f"{folder} ({which})", count, read, own, evaluation.metrics, points=run.dtype == "float32")


def _classes(run: Run, count: int, root: Path) -> Tensor | None:
    """Draw classes as often as the training images have them, as the run's own scores do; None where it has none."""
    if not run.classes:
        return None
    labels = build_target(run.dataset.component)(run.dataset.typed_params, root, "train").labels
    return torch.from_numpy(np.random.default_rng(derive(SCORING_SEED, "classes")).choice(labels, count))


def trained_on(text: str, root: Path) -> Pictures | None:
    """Return the images that a run was trained on; None if the text does not name a run."""
    folder = expanded(text)
    if not _is_run(folder):
        return None
    run: Run = read_json(folder / "config.json", Run)
    return _of_split(Chosen(run.dataset.component, run.dataset.typed_params), run.dataset.label, "train", root)
