"""Parameters: `name:key=value,key=value` on one side, a checked frozen dataclass on the other. No torch."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import PurePath
from typing import Any

from ganzoo.errors import ParameterError, did_you_mean

TUPLE_SEPARATOR = "x"
"""Separates the numbers of a tuple: `hidden=256x512x1024`."""


@dataclass(frozen=True)
class Parameter:
    """One field of a params dataclass, as shown and checked."""

    name: str
    type: str
    default: Any
    required: bool
    help: str
    unit: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    trait: str
    convert: type
    """int, float, bool or str: what one value, or each number of a tuple, is read as."""
    is_tuple: bool

    @property
    def range(self) -> str:
        """What the parameter may be, e.g. `0 to 1`, `at least 1` or `batch | layer`."""
        if self.choices:
            return " | ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return "" if self.high is None else f"at most {self.high:g}"


@functools.cache
def parameters(cls: type[Any]) -> dict[str, Parameter]:
    """Return the parameters that a params dataclass declares, by name.

    Raises:
        ParameterError: a field of a type that the command line cannot write.
    """
    hints = typing.get_type_hints(cls)
    return {field.name: _parameter(field, hints[field.name]) for field in dataclasses.fields(cls)}


def _parameter(field: dataclasses.Field[Any], hint: Any) -> Parameter:
    kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
    if typing.get_origin(hint) in (types.UnionType, typing.Union) and len(kinds) == 1:  # an optional field
        hint = kinds[0]
    is_tuple = hint in (tuple[int, ...], tuple[float, ...])
    convert = typing.get_args(hint)[0] if is_tuple else hint
    if convert not in (int, float, bool, str):
        raise ParameterError(
            f"{field.name}: a parameter is int, float, bool, str, tuple[int, ...] or tuple[float, ...], not {hint}"
        )
    metadata = field.metadata
    return Parameter(
        name=field.name,
        type=f"{convert.__name__} {TUPLE_SEPARATOR} ..." if is_tuple else convert.__name__,
        default=None if field.default is dataclasses.MISSING else field.default,
        required=field.default is dataclasses.MISSING,
        convert=convert,
        is_tuple=is_tuple,
        choices=tuple(metadata.get("choices", ())),
        help=metadata.get("help", ""),
        unit=metadata.get("unit", ""),
        trait=metadata.get("trait", ""),
        low=metadata.get("low"),
        high=metadata.get("high"),
    )


def split(texts: str | Sequence[str]) -> list[str]:
    """Split comma lists of components, keeping each component's own parameters together.

    `"bce,wgan-gp:penalty=5,n_critic=3"` -> `["bce", "wgan-gp:penalty=5,n_critic=3"]`
    """
    found: list[str] = []
    for text in [texts] if isinstance(texts, str) else texts:
        pieces: list[str] = []
        for piece in filter(None, (piece.strip() for piece in text.split(","))):
            continues = "=" in piece.partition(":")[0]
            if continues and not pieces:
                raise ParameterError(f'"{text}" starts with a parameter; write name:{piece}')
            if continues:
                pieces[-1] += ("," if ":" in pieces[-1] else ":") + piece
            else:
                pieces.append(piece)
        found += pieces
    return found


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split `name:key=value,key=value` into the name and its raw parameters."""
    name, _, rest = text.partition(":")
    values: dict[str, str] = {}
    for piece in filter(None, rest.split(",")):
        key, equals, value = piece.partition("=")
        if not equals:
            raise ParameterError(f'{name}: "{piece}" is not key=value; write {name}:key=value,key=value')
        key = key.strip()
        if key in values:
            raise ParameterError(f"{name}: {key} is given twice")
        values[key] = value.strip()
    return name.strip(), values


def build(cls: type[Any], values: Mapping[str, Any], where: str, joint: str = ": ") -> Any:
    """Return the params dataclass with these values and its defaults, all converted and checked.

    Args:
        cls: a frozen dataclass whose fields were declared with `ganzoo.api.param`.
        values: strings from the command line, or typed values from a suite file or Python.
        where: what the error names, e.g. `wgan-gp` or `suite.toml: recipe`.
        joint: what stands between that and a parameter's name: a dot where the two are one key of a suite file.

    Raises:
        ParameterError: an unknown name, a missing or bad value.
    """
    known = parameters(cls)
    for name in values:
        if name not in known:
            raise ParameterError(f'{where}: no parameter "{name}"{did_you_mean(str(name), known)}')
    for parameter in known.values():
        if parameter.required and parameter.name not in values:
            meaning = f" ({parameter.help})" if parameter.help else ""
            raise ParameterError(f"{where}{joint}{parameter.name} is needed{meaning}; add {parameter.name}=...")
    # Defaults are converted too: a float's default may be written 10, and 10 and 10.0 must be one value in a run's id.
    given = {name: values.get(name, parameter.default) for name, parameter in known.items()}
    try:
        return cls(**{name: _value(known[name], value, f"{where}{joint}{name}") for name, value in given.items()})
    except ValueError as error:  # a dataclass may check several fields together in __post_init__
        raise ParameterError(f"{where}: {error}") from None


def _value(parameter: Parameter, value: Any, where: str) -> Any:
    if value is None and parameter.default is None and not parameter.required:
        return None
    if not parameter.is_tuple:
        return _one(parameter, value, where)
    items = value.split(TUPLE_SEPARATOR) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        items = [items]
    if not items and parameter.default != ():
        raise ParameterError(f"{where} needs at least one value")
    return tuple(_one(parameter, item, where) for item in typing.cast("list[Any]", items))


def _one(parameter: Parameter, value: Any, where: str) -> Any:
    converted = _convert(parameter.convert, value)
    if converted is None:
        kind = f"{parameter.type} in UTF-8" if isinstance(value, str) and not is_utf8(value) else parameter.type
        example = f", e.g. {format_value(parameter.default)}" if parameter.default not in (None, "") else ""
        raise ParameterError(f'{where} takes {kind}, not "{value}"{example}')
    low, high, choices = parameter.low, parameter.high, parameter.choices
    outside = (low is not None and converted < low) or (high is not None and converted > high)
    if outside or (choices and converted not in choices):
        near = did_you_mean(converted, choices) if choices else ""
        raise ParameterError(f"{where} must be {parameter.range}, not {value}{near}")
    return converted


def _convert(kind: type, value: Any) -> Any:
    """Return the value as this kind, or None where it is not one."""
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return words.get(str(value).lower())
    if kind is str:
        value = str(value) if isinstance(value, PurePath) else value
        return value if isinstance(value, str) and is_utf8(value) else None
    return None if isinstance(value, bool) else _number(kind, value)


def is_utf8(text: str) -> bool:
    """Tell whether a text can be written to a file; the name of a file may be any bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number, NumPy's too, and no bool."""
    return not isinstance(value, bool) and isinstance(value, Integral)


def _number(kind: type, value: Any) -> int | float | None:
    try:
        number = float(value)
        if not math.isfinite(number) or (kind is int and number != int(number)):
            return None
        return _whole(value) if kind is int else number
    except (TypeError, ValueError, OverflowError):
        return None


def _whole(value: Any) -> int:
    try:
        return int(value)  # exact, where a float would round numbers beyond 2**53
    except ValueError:
        return int(float(value))  # e.g. 1e4


def format_value(value: Any) -> str:
    """Write a value as the command line reads it."""
    if isinstance(value, tuple):
        return TUPLE_SEPARATOR.join(format_value(item) for item in typing.cast("tuple[Any, ...]", value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def label(name: str, params: object) -> str:
    """Return `name:key=value,...` with the parameters that differ from their defaults."""
    changed = [
        f"{known.name}={format_value(getattr(params, known.name))}"
        for known in parameters(type(params)).values()
        if getattr(params, known.name) != known.default  # None where it is required
    ]
    return f"{name}:{','.join(changed)}" if changed else name
