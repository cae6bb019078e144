"""Where settings are written: a suite file, and flags over it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from ganzoo.api import Recipe
from ganzoo.errors import GanzooError, ParameterError, SuiteError, did_you_mean

Values = Mapping[str, Any]

GRID_KEYS = ("model", "loss", "dataset", "trick", "ablate")
RUN_KEYS = ("engine", "device", "mode", "precision", "jobs", "profile", "out")
RECIPE_KEYS = tuple(field.name for field in dataclasses.fields(Recipe))
SUITE_KEYS = (
    *(*GRID_KEYS, "extractor", "metrics", "seeds", "samples", "evaluations", "data_root", *RUN_KEYS),
    *("recipe", "combination"),
)
COMBINATION_KEYS = ("name", *GRID_KEYS, "recipe", "published")


class Place(NamedTuple):
    """Where a value was written: a dotted key of a suite file, or a flag where there is no file.

    Without a key it is all of the file, or of the command line.
    """

    key: str
    file: Path | None = None

    def __str__(self) -> str:
        """Return what an error starts with."""
        if self.file:
            return f"{self.file}: {self.key}" if self.key else str(self.file)
        return f"--{self.key.replace('_', '-')}" if self.key else ""

    def refuse(self, reason: str) -> GanzooError:
        """Return the error to raise for a bad value."""
        return (SuiteError if self.file else ParameterError)(f"{self}: {reason}" if str(self) else reason)

    @contextmanager
    def blamed(self) -> Generator[None]:
        """Name the file and the key in errors about what was written there; those of a flag say enough."""
        try:
            yield
        except GanzooError as error:
            if self.file is None:
                raise
            kind = SuiteError if isinstance(error, ParameterError) else type(error)
            raise kind(f"{self}: {error}") from None


class Given(NamedTuple):
    """A value and where it was written."""

    value: Any
    place: Place


def read_suite(file: Path) -> dict[str, Any]:
    """Return the checked top-level keys of a suite file.

    Raises:
        SuiteError: the file is missing, is not TOML, or has a key that no suite has.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # some editors write a byte order mark
    except FileNotFoundError:
        hint = "" if file.suffix else "; components are named by options, e.g. --model dcgan --loss hinge"
        raise SuiteError(f"{file}: no such suite file{hint}") from None
    except IsADirectoryError:
        raise SuiteError(f"{file}: is a folder; name a suite file, e.g. {file / 'suite.toml'}") from None
    except OSError as error:
        raise SuiteError(f"{file}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SuiteError(f"{file}: is not in UTF-8, from byte {error.start} on; save it in UTF-8") from None
    except RecursionError:
        raise SuiteError(f"{file}: not valid TOML: lists or tables within each other without end") from None
    except ValueError as error:  # also of a number with more digits than Python reads
        raise SuiteError(f"{file}: not valid TOML: {error}") from None
    _check_keys(values, SUITE_KEYS, Place("", file))
    tables = values.get("combination", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in cast("list[Any]", tables)):
        raise SuiteError(f"{file}: combination must be a list of tables, each headed [[combination]], not {tables!r}")
    for number, table in enumerate(cast("list[dict[str, Any]]", tables), 1):
        _check_keys(table, COMBINATION_KEYS, Place(f"combination {number}.", file))
    return values


def _check_keys(values: Values, known: Sequence[str], place: Place) -> None:
    """Check the names of a table's keys, and those in its recipe."""
    for key in values:
        if key not in known:
            raise SuiteError(f'{place.file}: unknown key "{place.key}{key}"{near_key(key, known)}')
    recipe = values.get("recipe", {})
    if not isinstance(recipe, dict):
        raise SuiteError(f"{place.file}: {place.key}recipe must be a table, written [recipe], not {recipe!r}")
    for key in cast("dict[str, Any]", recipe):
        if key not in RECIPE_KEYS:
            raise SuiteError(f'{place.file}: unknown key "{place.key}recipe.{key}"{did_you_mean(key, RECIPE_KEYS)}')


def near_key(key: str, known: Sequence[str] = SUITE_KEYS) -> str:
    """Return the hint for a key that no suite has, or none in that place."""
    key = key.replace("-", "_")  # as flags write it
    if key in RECIPE_KEYS:
        return f'; did you mean "recipe.{key}"?'
    if key in COMBINATION_KEYS:
        return "; it belongs below a [[combination]]"
    return "; it belongs at the top of the file" if key in SUITE_KEYS and key not in known else did_you_mean(key, known)


def merge(
    flags: Values, suite: Values, file: Path | None, number: int = 0, combination: Values | None = None
) -> dict[str, Given]:
    """Return every setting but the recipe: a flag's, else the combination's, else the suite's; None and () are no flag.

    Args:
        flags: by suite key.
        suite: what `read_suite` returned.
        file: the suite file.
        number: of the combination.
        combination: one of the suite's `[[combination]]` tables.
    """
    own = combination or {}
    merged = {key: Given(value, Place(key, file)) for key, value in suite.items()}
    merged |= {key: Given(value, Place(f"combination {number}.{key}", file)) for key, value in own.items()}
    merged |= {key: Given(value, Place(key)) for key, value in flags.items() if not _absent(value)}
    merged.pop("recipe", None)
    return merged


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, tuple) and not value)
