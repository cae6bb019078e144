"""Where a user's own images lie on disk, and which files are images. No torch."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from ganzoo.api import Split
from ganzoo.errors import DataError
from ganzoo.paths import exists, expanded

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


def is_image(name: str) -> bool:
    """Tell whether a file is taken for an image, by its name without folders."""
    return "".join(name.rpartition(".")[1:]).lower() in EXTENSIONS and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Tell whether a name is one that a file browser hides, or macOS's shadow copy inside a zip."""
    return name.startswith(".") or name == "__MACOSX"


@contextmanager
def listing() -> Generator[None]:
    """Turn what cannot be listed into a DataError that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename} cannot be listed ({error.strerror}): mend its permissions") from error


def images_and_folders(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of a folder's images and of its visible sub-folders, which may be links, both sorted."""
    files, folders = list[str](), list[str]()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                folders.append(entry.name)
            elif is_image(entry.name):
                files.append(entry.name)
    return sorted(files), sorted(name for name in folders if not is_hidden(name))


def images_below(folder: Path) -> Iterator[Path]:
    """Yield the images of a folder and all below it, sorted; links to folders below it are not followed."""
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(parent, name) for name in sorted(files) if is_image(name))


def _raise(error: OSError) -> None:
    """Make `os.walk` raise what it would ignore."""
    raise error


def locate(path: str, root: Path) -> Path:
    """Return an absolute path: `path` itself, or relative to the current folder, or else to the data root."""
    given = expanded(path)
    candidates = list(dict.fromkeys([given.absolute(), (root / given).absolute()]))
    for candidate in candidates if path else []:
        if exists(candidate):
            return candidate
    raise DataError(
        f"path {path!r} does not exist: looked at {' and '.join(map(str, candidates))}. Give an absolute path, or one "
        "relative to the current folder or to --data-root"
    )


def locate_split(name: str, path: str, test: str, root: Path, split: Split) -> Path:
    """Return where a split of the dataset `name` lies; DataError where the user named no test split."""
    if split == "test" and not test:
        raise DataError(f"{name}:path={path} has no test split: say where its images are with test=PATH")
    return locate(test if split == "test" else path, root)
