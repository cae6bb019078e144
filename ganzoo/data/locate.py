"""Where a user's own images lie on disk, and which files are images. No torch."""

from __future__ import annotations

from pathlib import Path

from ganzoo.api import Split
from ganzoo.errors import DataError
from ganzoo.paths import expanded

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})


def is_image(name: str) -> bool:
    """Tell whether a file is taken for an image, by its name without folders."""
    return f".{name.rpartition('.')[2].lower()}" in EXTENSIONS and not is_hidden(name)


def is_hidden(name: str) -> bool:
    """Tell whether a name is one that a file browser hides, or macOS's shadow copy inside a zip."""
    return name.startswith(".") or name == "__MACOSX"


def locate(path: str, root: Path) -> Path:
    """Return an absolute path: `path` itself, or relative to the current folder, or else to the data root."""
    given = expanded(path)
    candidates = list(dict.fromkeys([given.absolute(), (root / given).absolute()]))
    for candidate in candidates if path else []:
        if candidate.exists():
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
