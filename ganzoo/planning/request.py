"""What a user asks for, in one form: the same whether it came from flags, a suite file or Python."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from ganzoo.api import Recipe
from ganzoo.errors import ParameterError, SuiteError, did_you_mean
from ganzoo.params import build, parse, split

Values = Mapping[str, Any]


class Asked(NamedTuple):
    """One component that was asked for: its name and the parameters that were given."""

    name: str
    values: Values


@dataclass(frozen=True)
class Layer:
    """Recipe values from one place, e.g. the command line."""

    source: str
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Request:
    """A grid of combinations, the seeds and the evaluation that were asked for; nothing is looked up yet."""

    model: tuple[Asked, ...]
    loss: tuple[Asked, ...]
    dataset: tuple[Asked, ...] = (Asked("digits", {}),)
    trick: tuple[Asked, ...] = ()
    ablate: tuple[Asked, ...] = ()
    seeds: tuple[int, ...] = (0,)
    extractor: Asked | None = None
    samples: int | None = None
    evaluations: int = 5
    layers: tuple[Layer, ...] = ()
    data_root: Path = field(default_factory=Path)


GRID_KEYS = ("model", "loss", "dataset", "trick", "ablate")
RUN_KEYS = ("device", "jobs", "out")
SUITE_KEYS = (*GRID_KEYS, "extractor", "seeds", "samples", "evaluations", "data_root", *RUN_KEYS, "recipe")


def read_suite(file: Path) -> dict[str, Any]:
    """Return the checked top-level keys of a suite file.

    Raises:
        SuiteError: the file is missing, is not TOML, or has a key that no suite has.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SuiteError(f"{file}: no such suite file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{file}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{file}: not valid TOML: {error}") from None
    for key in values:
        if key not in SUITE_KEYS:
            raise SuiteError(f'{file}: unknown key "{key}"{did_you_mean(key, SUITE_KEYS)}')
    recipe = values.get("recipe", {})
    if not isinstance(recipe, dict):
        raise SuiteError(f"{file}: recipe must be a table, written [recipe], not {recipe!r}")
    for key in cast("dict[str, Any]", recipe):
        names = [known.name for known in dataclasses.fields(Recipe)]
        if key not in names:
            raise SuiteError(f'{file}: unknown key "recipe.{key}"{did_you_mean(key, names)}')
    return values


def make_request(flags: Values, suite: Values | None = None, file: Path | None = None) -> Request:
    """Merge flags over a suite file's values and check every form.

    Args:
        flags: what was given on the command line or to the Python function, by suite key; None values are absent.
        suite: what `read_suite` returned.
        file: the suite file, named in errors and as the source of recipe values.
    """
    given = {key: value for key, value in flags.items() if value is not None and value != ()}
    layers = (*_layer(str(file), (suite or {}).get("recipe")), *_layer("command line", given.pop("recipe", None)))
    merged: dict[str, tuple[Any, str]] = {key: (value, f"{file}: {key}") for key, value in (suite or {}).items()}
    merged |= {key: (value, f"--{key.replace('_', '-')}") for key, value in given.items()}
    for key in ("model", "loss"):
        if key not in merged:
            raise ParameterError(f"which {key}? add --{key} NAME, or {key} = ... in a suite file (see: ganzoo list)")
    fields: dict[str, Any] = {key: _components(*merged[key]) for key in GRID_KEYS if key in merged}
    if "extractor" in merged:
        (fields["extractor"],) = _components(*merged["extractor"])
    if "seeds" in merged:
        fields["seeds"] = _seeds(*merged["seeds"])
    for key, low in (("samples", 2), ("evaluations", 1)):
        if key in merged:
            fields[key] = _count(*merged[key], low=low)
    if "data_root" in merged:
        fields["data_root"] = Path(merged["data_root"][0]).expanduser()
    return Request(**fields, layers=layers)


def _layer(source: str, values: Values | None) -> tuple[Layer, ...]:
    return (Layer(source, build(Recipe, values, f"{source}: recipe")),) if values else ()


def _components(value: Any, where: str) -> tuple[Asked, ...]:
    items = cast("Iterable[Any]", value if isinstance(value, list | tuple) else [value])
    found: list[Asked] = []
    for item in items:
        if isinstance(item, str):
            found += [Asked(*parse(text)) for text in split(item)]
        elif isinstance(item, dict) and "name" in item:
            table = cast("dict[str, Any]", item)
            found.append(Asked(str(table["name"]), {key: table[key] for key in table if key != "name"}))
        else:
            raise ParameterError(f'{where}: write "name:key=value" or a table with a name, not {item!r}')
    if not found and not where.endswith(("trick", "ablate")):
        raise ParameterError(f"{where}: names nothing")
    return tuple(found)


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    text = value if isinstance(value, str) else None
    try:
        if text is not None and "," not in text:
            value = int(text)
        seeds = tuple(range(value)) if isinstance(value, int) else _seed_list(value)
    except (TypeError, ValueError):
        seeds = ()
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise ParameterError(f"{where}: write how many (3) or which (0,7,9), each once and not negative, not {value!r}")
    return seeds


def _seed_list(value: Any) -> tuple[int, ...]:
    items = value.split(",") if isinstance(value, str) else value
    return tuple(int(item) for item in items if str(item).strip())


def _count(value: Any, where: str, low: int) -> int:
    if isinstance(value, bool) or not str(value).isdigit() or int(value) < low:
        raise ParameterError(f"{where}: a whole number, at least {low}, not {value!r}")
    return int(value)


