"""Find what installed distributions register. The only file that imports `entrypoints`.

Its weak spots are covered here: its look-ups by name hide clashes, so every entry is read; one malformed
`entry_points.txt` ends its scan of a whole folder, so such a folder is read again distribution by distribution; and
the names of distributions arrive unnormalised.
"""

from __future__ import annotations

import configparser
import difflib
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import entrypoints

from ganzoo.api import Kind
from ganzoo.errors import did_you_mean, words_of

GROUPS: dict[str, Kind] = {
    "ganzoo.architectures": "architecture",
    "ganzoo.losses": "loss",
    "ganzoo.tricks": "trick",
    "ganzoo.datasets": "dataset",
    "ganzoo.extractors": "extractor",
    "ganzoo.engines": "engine",
}
Found = tuple[configparser.ConfigParser | str, str, str]
"""The parsed `entry_points.txt` of a distribution, or why it cannot be read; its name and version."""


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
    """A distribution whose entry points cannot be read, all of them or those of a group."""

    distribution: str
    version: str
    reason: str
    """What is wrong, and what to do."""


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
                damaged.append(Damage(name, version, f"{parsed}; reinstall it"))
            else:
                entries += _entries(parsed, name, version)
                damaged += [Damage(name, version, reason) for reason in misspelt_groups(parsed.sections())]
    return entries, damaged


def misspelt_groups(groups: Iterable[str]) -> list[str]:
    """Return an error for each entry-point group that looks like one of ganzoo's and is none."""
    return [
        f'"{group}" is no group of entry points that this ganzoo reads{did_you_mean(group, GROUPS)}'
        for group in groups
        if group not in GROUPS and (group.lower().startswith("ganzoo.") or _is_near(group.lower()))
    ]


def _is_near(group: str) -> bool:
    """Tell whether a group is one of ganzoo's but for a letter or two, as `ganzo.losses` or `ganzoo-losses`."""
    return bool(difflib.get_close_matches(group, GROUPS, n=1, cutoff=0.9))


def normalise(name: str) -> str:
    """Return a distribution's name as package indexes write it: lower case, single dashes."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distributions(folder: str) -> list[Found]:
    try:
        return [
            (parser, *_identity(distribution))
            for parser, distribution in entrypoints.iter_files_distros([folder], repeated_distro="all")
            if distribution  # which only its type stubs doubt
        ]
    except (configparser.Error, UnicodeDecodeError, OSError, zipfile.BadZipFile) as error:
        return list(_one_by_one(folder, error))


def _one_by_one(folder: str, cause: Exception) -> Iterator[Found]:
    """Read a folder whose scan ended with this error; a zip or egg is named as a whole."""
    files = [file for kind in ("dist", "egg") for file in sorted(Path(folder).glob(f"*.{kind}-info/entry_points.txt"))]
    if not files:
        yield f"{folder}: {words_of(cause)}", *_identity(_distribution(Path(folder)))
    for file in files:
        parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",))
        try:
            parser.read_string(file.read_text(encoding="utf-8"), source=file.name)
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            yield f"{file}: {words_of(error)}", *_identity(_distribution(file.parent))
        else:
            yield parser, *_identity(_distribution(file.parent))


def _distribution(folder: Path) -> entrypoints.Distribution:
    return entrypoints.Distribution.from_name_version(folder.stem)


def _identity(distribution: entrypoints.Distribution) -> tuple[str, str]:
    return normalise(distribution.name), distribution.version or "unknown"


def _entries(parser: configparser.ConfigParser, name: str, version: str) -> Iterator[Entry]:
    for group, kind in GROUPS.items():
        if parser.has_section(group):
            for key, value in parser.items(group, raw=True):
                target = value.partition("[")[0]  # without extras, which old tools may write after it
                yield Entry(kind, key, target.strip(), name, version)
