"""Decoded images, kept on disk and memory-mapped, so that many processes decode a dataset once.

An entry is a folder: `pixels.npy`, `labels.npy` where there are labels, and `meta.json` with what they must be.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ganzoo.api import Images
from ganzoo.errors import DataError

META = "meta.json"


def cached(key: str, build: Callable[[], Images], folder: Path) -> Images:
    """Return the images kept in folder/key, built and kept first where they are missing or damaged.

    `key` is a file name that changes with all that determines the images. Of several processes that ask at once, one
    builds. The arrays are memory-mapped copy-on-write: what a caller writes to them stays its own.
    """
    entry = folder / key
    kept = _read(entry)
    if kept is not None:
        return kept
    with _locked(entry):
        kept = _read(entry)  # another process may have built it meanwhile
        if kept is not None:
            return kept
        images = build()
        _write(entry, images)
    return _read(entry) or images


def stat_key(paths: Iterable[Path]) -> str:
    """Return a hash that changes when a file is added, removed, moved or written to; in any order of paths.

    It includes the ctime, because unpacking an archive resets the mtime of a file, but not its ctime.
    """
    digest = hashlib.sha256()
    for path in sorted(path.absolute() for path in paths):
        try:
            stat = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): put it back or mend its permissions") from error
        values = f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0"
        digest.update(values.encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _locked(entry: Path) -> AbstractContextManager[object]:
    """Wait to be an entry's only builder, until the context ends; DataError where its folder cannot be written."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(entry.with_name(f"{entry.name}.lock")).acquire()
    except OSError as error:
        raise _unwritable(entry.parent, error) from error


def _unwritable(folder: Path, error: OSError) -> DataError:
    """Return the error for a folder that takes no files."""
    reason = error.strerror or error  # NumPy's own, of a full disk, has none
    return DataError(f"cannot keep decoded images in {folder} ({reason}): free space there, or make it writable")


def _read(entry: Path) -> Images | None:
    """Map an entry into memory; None where it is missing or any of its arrays is not what its meta says."""
    try:
        meta = json.loads((entry / META).read_text())
        arrays = {name: _map(entry / f"{name}.npy", expected) for name, expected in meta.items()}
        return Images(arrays["pixels"], arrays.get("labels"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None


def _map(file: Path, expected: dict[str, Any]) -> np.ndarray:
    """Map one array into memory, and read all of it; ValueError where it is not what was written."""
    if file.stat().st_size != expected["bytes"]:
        raise ValueError(f"{file} is not {expected['bytes']} bytes long")
    # Copy-on-write rather than read-only, which torch.from_numpy warns about
    array = np.load(file, mmap_mode="c")
    if [*array.shape] != expected["shape"] or array.dtype != expected["dtype"]:
        raise ValueError(f"{file} is not {expected['dtype']} of shape {expected['shape']}")
    if _sha256(array) != expected["sha256"]:
        raise ValueError(f"{file} does not have the sha256 {expected['sha256']}")
    return array


def _write(entry: Path, images: Images) -> None:
    """Put an entry in place in one move, whatever was there before; the caller holds the lock."""
    workplace = entry.with_name(f"{entry.name}.part")
    fresh, damaged = workplace / "fresh", workplace / "damaged"
    shutil.rmtree(workplace, ignore_errors=True)  # left by a writer that was killed
    try:
        fresh.mkdir(parents=True)
        meta = {name: _save(fresh / f"{name}.npy", array) for name, array in _arrays(images).items()}
        (fresh / META).write_text(json.dumps(meta, indent=1))
        if entry.exists():
            entry.replace(damaged)
        fresh.replace(entry)
    except OSError as error:
        raise _unwritable(entry.parent, error) from error
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _save(file: Path, array: np.ndarray) -> dict[str, Any]:
    """Write one array and return what its file must be."""
    np.save(file, array, allow_pickle=False)
    return {
        "shape": [*array.shape],
        "dtype": str(array.dtype),
        "bytes": file.stat().st_size,
        "sha256": _sha256(array),
    }


def _arrays(images: Images) -> dict[str, np.ndarray]:
    """Return the arrays that images consist of, by name."""
    return {name: array for name, array in images._asdict().items() if array is not None}


def _sha256(array: np.ndarray) -> str:
    """Return the hash of an array's values in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
