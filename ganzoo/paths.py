"""Where ganzoo keeps things on this machine. No torch."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder of derived files that can be deleted at any time: `$GANZOO_CACHE`, or the user's cache."""
    named = os.environ.get("GANZOO_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(named).expanduser() if named else Path(base).expanduser() / "ganzoo"


def data_root() -> Path:
    """Return the folder of datasets where none is given: `$GANZOO_DATA`, or `data` in the user's cache."""
    named = os.environ.get("GANZOO_DATA")
    return Path(named).expanduser() if named else cache_dir() / "data"
