"""What a user asks for, in one form: the same whether it came from flags, a suite file or Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

from ganzoo.api import Recipe
from ganzoo.errors import ParameterError, SuiteError, did_you_mean
from ganzoo.evaluate.metrics import METRICS
from ganzoo.params import build, is_utf8, is_whole, parse, split
from ganzoo.paths import data_root, expanded
from ganzoo.planning.published import Published, read_published
from ganzoo.planning.suite import GRID_KEYS, Place, Values, merge

MOST_SEEDS = 1000
"""More is a seed where a count belongs: `--seeds 20240101`."""


class Asked(NamedTuple):
    """One component that was asked for: its name, the parameters that were given, and where."""

    name: str
    values: Values
    place: Place


@dataclass(frozen=True)
class Layer:
    """Recipe values from one place, e.g. the command line."""

    source: str
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Product:
    """Every combination of some components, and the recipe values that were asked for."""

    model: tuple[Asked, ...]
    loss: tuple[Asked, ...]
    dataset: tuple[Asked, ...] = (Asked("digits", {}, Place("dataset")),)
    trick: tuple[Asked, ...] = ()
    ablate: tuple[Asked, ...] = ()
    layers: tuple[Layer, ...] = ()
    name: str = ""
    """What its one combination is called in tables; empty: its components' names."""
    published: Published | None = None
    place: Place = field(default_factory=lambda: Place(""))
    """Where it was written."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The combinations, the seeds and the evaluation that were asked for; nothing is looked up yet."""

    products: tuple[Product, ...]
    seeds: tuple[int, ...] = (0,)
    extractor: Asked | None = None
    metrics: tuple[str, ...] | None = None
    samples: int | None = None
    evaluations: int = 5
    data_root: Path = field(default_factory=data_root)


def make_request(flags: Values, suite: Values | None = None, file: Path | None = None) -> Request:
    """Merge flags over a suite file's values and check every form.

    Args:
        flags: what was given on the command line or to the Python function, by suite key; None values are absent.
        suite: what `read_suite` returned.
        file: the suite file, named in errors and as the source of recipe values.

    Raises:
        ParameterError: a flag is missing or has a bad value.
        SuiteError: the suite file has a bad value.
    """
    suite = suite or {}
    merged = merge(flags, suite, file)
    tables = cast("list[Values]", suite.get("combination") or [{}])
    products = tuple(_product(flags, suite, file, number, table) for number, table in enumerate(tables, 1))
    fields: dict[str, Any] = {"products": products}
    if "extractor" in merged:
        fields["extractor"] = the_one(*merged["extractor"], "one feature network scores a grid")
    if "metrics" in merged:
        fields["metrics"] = metric_names(*merged["metrics"])
    if "seeds" in merged:
        fields["seeds"] = _seeds(*merged["seeds"])
    for key, low in (("samples", 2), ("evaluations", 1)):
        if key in merged:
            fields[key] = _count(*merged[key], low=low)
    if "data_root" in merged:
        fields["data_root"] = folder(*merged["data_root"])
    return Request(**fields)


def _product(flags: Values, suite: Values, file: Path | None, number: int, table: Values) -> Product:
    """Return the combinations of one `[[combination]]` table, or of a suite or flags that have none."""
    merged = merge(flags, suite, file, number, table)
    place = Place(f"combination {number}" if "combination" in suite else "", file)
    for key in ("model", "loss"):
        if key not in merged:
            raise place.refuse(f"which {key}? add --{key} NAME, or {key} = ... in a suite file (see: ganzoo list)")
    fields: dict[str, Any] = {key: _components(*merged[key]) for key in GRID_KEYS if key in merged}
    if "name" in merged:
        fields["name"] = _name(*merged["name"])
    if "published" in merged:
        fields["published"] = read_published(*merged["published"])
    places = ((suite, "recipe", file), (table, f"combination {number}.recipe", file), (flags, "recipe", None))
    layers = (_layer(values.get("recipe"), Place(key, written)) for values, key, written in places)
    return Product(**fields, layers=tuple(layer for layer in layers if layer), place=place)


def _layer(values: Any, place: Place) -> Layer | None:
    if not values:
        return None
    if not isinstance(values, Mapping):
        raise place.refuse(f"a table of names and values, not {values!r}")
    try:
        recipe = build(Recipe, cast("Values", values), str(place), joint="." if place.file else ": ")
    except ParameterError as error:
        raise (SuiteError if place.file else ParameterError)(str(error)) from None
    return Layer(str(place.file or "command line"), recipe)


def _name(value: Any, place: Place) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise place.refuse(f"must be one line of text without control characters, not {value!r}")
    return value.strip()


def _components(value: Any, place: Place) -> tuple[Asked, ...]:
    items = cast("Iterable[Any]", value if isinstance(value, list | tuple) else [value])
    found: list[Asked] = []
    for item in items:
        if isinstance(item, str):
            with place.blamed():
                found += [Asked(*parse(text), place) for text in split(item)]
        elif isinstance(item, dict) and "name" in item:
            table = cast("dict[str, Any]", item)
            found.append(Asked(str(table["name"]), {key: table[key] for key in table if key != "name"}, place))
        else:
            raise place.refuse(f'write "name:key=value" or a table with a name, not {item!r}')
    if not found and place.key.rpartition(".")[2] not in ("trick", "ablate"):
        raise place.refuse("names nothing")
    return tuple(found)


def the_one(value: Any, place: Place, rule: str) -> Asked:
    """Return the component that a text or a table names; `rule` says of several why there is one."""
    first, *others = _components(value, place)
    if others:
        raise place.refuse(f"{rule}, not {1 + len(others)}")
    return first


def metric_names(value: Any, place: Place) -> tuple[str, ...]:
    """Return the metrics that a text or a list names, each once.

    Raises:
        GanzooError: a name that no metric has.
    """
    items = cast("Iterable[Any]", value if isinstance(value, list | tuple) else [value])
    names = tuple(dict.fromkeys(name.strip().lower() for item in items for name in str(item).split(",")))
    if not names:
        raise place.refuse(f"names no metric; write one of {', '.join(METRICS)}, or leave it out")
    for name in names:
        if name not in METRICS:
            raise place.refuse(f'no metric "{name}"{did_you_mean(name, METRICS)}')
    return names


def _seeds(value: Any, place: Place) -> tuple[int, ...]:
    try:
        seeds = tuple(_seed_numbers(value)[: MOST_SEEDS + 1])
    except (TypeError, ValueError):
        seeds = ()
    if len(seeds) > MOST_SEEDS:
        raise place.refuse(f'at most {MOST_SEEDS:,} seeds; for one seed by its number, write a list: "7," or [7]')
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise place.refuse(f"write how many (3) or which (0,7,9), each once and not negative, not {value!r}")
    return seeds


def _seed_numbers(value: Any) -> range | list[int]:
    if isinstance(value, str):
        numbers = [int(item) for item in value.split(",") if item.strip()]
        return numbers if "," in value or not numbers else range(numbers[0])
    if is_whole(value):
        return range(value)
    numbers = list(value)
    if not all(map(is_whole, numbers)):
        raise TypeError("a seed is a whole number")
    return [int(number) for number in numbers]


def _count(value: Any, place: Place, low: int) -> int:
    try:
        number = int(value) if not isinstance(value, bool) and str(value).isdecimal() else -1
    except ValueError:  # more digits than Python reads
        number = -1
    if number < low:
        raise place.refuse(f"must be a whole number, at least {low}, not {value!r}")
    return number


def folder(value: Any, place: Place) -> Path:
    """Return the path that a text names, `~` expanded."""
    if not isinstance(value, str | Path) or value == "" or "\0" in str(value):
        raise place.refuse(f"must be the path of a folder, not {value!r}")
    if not is_utf8(str(value)):
        raise place.refuse(f"must be a name in UTF-8, not {value!r}; rename the folder")
    with place.blamed():
        return expanded(value)
