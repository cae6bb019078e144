"""Where ganzoo keeps things on this machine. No torch."""

from __future__ import annotations

import os
from pathlib import Path

from ganzoo.errors import ParameterError


def cache_dir() -> Path:
    """Return the folder of derived files that can be deleted at any time: `$GANZOO_CACHE`, or the user's cache."""
    named = os.environ.get("GANZOO_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded(named) if named else expanded(base) / "ganzoo"


def data_root() -> Path:
    """Return the folder of datasets where none is given: `$GANZOO_DATA`, or `data` in the user's cache."""
    named = os.environ.get("GANZOO_DATA")
    return expanded(named) if named else cache_dir() / "data"


def expanded(path: str | Path) -> Path:
    """Return a path, `~` or `~user` at its start replaced by the home folder.

    Raises:
        ParameterError: no home folder is known, as in a container whose user has no name, or the path holds a NUL.
    """
    if "\0" in str(path):
        raise ParameterError(f"{str(path)!r} holds a NUL, which no path does; leave it out")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ParameterError(f"{path}: no home folder is known for it; write the whole path, or set HOME") from None


def exists(path: Path) -> bool:
    """Tell whether there is such a file or folder.

    Raises:
        ParameterError: the system does not tell: a folder above it is closed to this user, or its name is too long.
    """
    try:
        return path.exists()
    except OSError as error:
        raise ParameterError(f"{path} cannot be looked at: {error.strerror}; mend the path, or permissions") from None
