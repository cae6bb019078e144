"""Find what installed distributions register. The only file that imports `entrypoints`.

Its weak spots are covered here: its look-ups by name hide clashes, so every entry is read; one malformed
`entry_points.txt` ends its scan of a whole folder, so such a folder is read again distribution by distribution; and
the names of distributions arrive unnormalised.
"""

from __future__ import annotations

import configparser
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import entrypoints

from ganzoo.api import Kind

GROUPS: dict[str, Kind] = {
    "ganzoo.architectures": "architecture",
    "ganzoo.losses": "loss",
    "ganzoo.tricks": "trick",
    "ganzoo.datasets": "dataset",
    "ganzoo.extractors": "extractor",
}
CORE = "ganzoo-core"
Parsed = tuple[configparser.ConfigParser, entrypoints.Distribution]


@dataclass(frozen=True)
class Entry:
    """One line of an `entry_points.txt`, not yet imported."""

    kind: Kind
    name: str
    value: str
    """`module:attribute` of the spec."""
    distribution: str
    version: str


@dataclass(frozen=True)
class Damage:
    """A distribution whose entry points cannot be read."""

    distribution: str
    version: str
    reason: str


def scan(path: Sequence[str] | None = None) -> tuple[list[Entry], list[Damage]]:
    """Read the entry points of every distribution on the path; the first of a name shadows later ones.

    Args:
        path: folders to look in; `sys.path` when None.

    Returns:
        Entries in the order of the path, and the distributions that could not be read.
    """
    entries: list[Entry] = []
    damaged: list[Damage] = []
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path if path is None else path):
        for found in _distributions(folder):
            parsed, name, version = found
            if name in seen:
                continue
            seen.add(name)
            if isinstance(parsed, str):
                damaged.append(Damage(name, version, parsed))
            else:
                entries += _entries(parsed, name, version)
    return entries, damaged


def normalise(name: str) -> str:
    """Return a distribution's name as package indexes write it: lower case, single dashes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distributions(folder: str) -> list[tuple[configparser.ConfigParser | str, str, str]]:
    try:
        found: list[tuple[configparser.ConfigParser | str, str, str]] = []
        for parser, distribution in entrypoints.iter_files_distros([folder], repeated_distro="all"):
            found.append((parser, *_identity(distribution)))
    except (configparser.Error, UnicodeDecodeError, OSError, zipfile.BadZipFile):
        return list(_one_by_one(folder))
    return found


def _one_by_one(folder: str) -> Iterator[tuple[configparser.ConfigParser | str, str, str]]:
    for pattern in ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt"):
        for file in sorted(Path(folder).glob(pattern)):
            parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",))
            identity = _identity(entrypoints.Distribution.from_name_version(file.parent.stem))
            try:
                parser.read_string(file.read_text(encoding="utf-8"))
            except (configparser.Error, UnicodeDecodeError, OSError) as error:
                yield f"{file}: {' '.join(str(error).split())}", *identity
            else:
                yield parser, *identity


def _identity(distribution: entrypoints.Distribution) -> tuple[str, str]:
    return normalise(distribution.name), distribution.version or "unknown"


def _entries(parser: configparser.ConfigParser, name: str, version: str) -> Iterator[Entry]:
    for group, kind in GROUPS.items():
        if parser.has_section(group):
            for key, value in parser.items(group, raw=True):
                yield Entry(kind, key, value.strip(), name, version)
