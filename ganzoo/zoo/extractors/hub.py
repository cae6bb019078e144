"""Weights that are downloaded once: where torch keeps them, and what to say when they cannot be had."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from pathlib import Path

import torch

from ganzoo.errors import WeightsError
from ganzoo.zoo.downloads import patience


def hub_path(url: str) -> Path:
    """Return where torch keeps what it downloads from a URL; `$TORCH_HOME` moves it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name


def download(url: str, path: Path, what: str, sha256: str | None = None) -> None:
    """Fetch weights, and keep them only if their hash is the one expected, where one is.

    Raises:
        WeightsError: no network, or other bytes than expected; `what` names the weights.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with patience():
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: torch found another hash
        raise WeightsError(
            f"{path}: {what} are not there and cannot be downloaded ({summary(error)}); put a copy of {url} at that "
            "path, or choose a feature network whose weights are included with --extractor NAME (see: ganzoo list "
            "extractors)"
        ) from error


def file_sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def summary(error: Exception) -> str:
    """Return an error's first line, or its type where it says nothing."""
    return str(error).partition("\n")[0] or type(error).__name__
