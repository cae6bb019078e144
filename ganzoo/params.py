"""Parameters: `name:key=value,key=value` on one side, a checked frozen dataclass on the other. No torch."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """Return the parameters that a params dataclass declares, by name."""
    hints = typing.get_type_hints(cls)
    return {field.name: _parameter(field, hints[field.name]) for field in dataclasses.fields(cls)}


def _parameter(field: dataclasses.Field[Any], hint: Any) -> Parameter:
    if isinstance(hint, types.UnionType):  # an optional field
        hint = next(kind for kind in typing.get_args(hint) if kind is not types.NoneType)
    is_tuple = typing.get_origin(hint) is tuple
    convert = typing.get_args(hint)[0] if is_tuple else hint
    if convert not in (int, float, bool, str):
        raise ParameterError(f"{field.name}: a parameter is int, float, bool, str or a tuple of them, not {hint}")
    metadata = field.metadata
    return Parameter(
        name=field.name,
        type=f"{convert.__name__}{TUPLE_SEPARATOR}..." if is_tuple else convert.__name__,
        default=None if field.default is dataclasses.MISSING else field.default,
        required=field.default is dataclasses.MISSING,
        convert=convert,
        choices=tuple(metadata.get("choices", ())),
        **{key: metadata.get(key, "") for key in ("help", "unit", "trait")},
        **{key: metadata.get(key) for key in ("low", "high")},
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
        if key in values:
            raise ParameterError(f"{name}: {key} is given twice")
        values[key.strip()] = value.strip()
    return name.strip(), values


def build(cls: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """Return the params dataclass with these values, converted and checked.

    Args:
        cls: a frozen dataclass whose fields were declared with `ganzoo.api.param`.
        values: strings from the command line, or typed values from a suite file or Python.
        where: what the error names, e.g. `wgan-gp` or `suite.toml: recipe`.

    Raises:
        ParameterError: an unknown name, a missing or bad value.
    """
    known = parameters(cls)
    for name in values:
        if name not in known:
            raise ParameterError(f'{where}: no parameter "{name}"{did_you_mean(name, known)}')
    for parameter in known.values():
        if parameter.required and parameter.name not in values:
            raise ParameterError(f"{where}: {parameter.name} is needed ({parameter.help}); add {parameter.name}=...")
    try:
        return cls(**{name: _value(known[name], value, where) for name, value in values.items()})
    except ValueError as error:  # a dataclass may check several fields together in __post_init__
        raise ParameterError(f"{where}: {error}") from None


def _value(parameter: Parameter, value: Any, where: str) -> Any:
    if parameter.type.endswith("..."):
        items = value.split(TUPLE_SEPARATOR) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            items = [items]
        if not items:
            raise ParameterError(f"{where}: {parameter.name} needs at least one number")
        return tuple(_number(parameter, item, where) for item in typing.cast("list[Any]", items))
    return _number(parameter, value, where)


def _number(parameter: Parameter, value: Any, where: str) -> Any:
    converted = _convert(parameter.convert, value)
    if converted is None:
        example = f", e.g. {format_value(parameter.default)}" if parameter.default is not None else ""
        raise ParameterError(f'{where}: {parameter.name} takes {parameter.type}, not "{value}"{example}')
    low, high, choices = parameter.low, parameter.high, parameter.choices
    outside = (low is not None and converted < low) or (high is not None and converted > high)
    if outside or (choices and converted not in choices):
        near = did_you_mean(converted, choices) if choices else ""
        raise ParameterError(f"{where}: {parameter.name} must be {parameter.range}, not {value}{near}")
    return converted


def _convert(kind: type, value: Any) -> Any:
    """Return the value as this kind, or None where it is not one."""
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return value if isinstance(value, bool) else words.get(str(value).lower())
    if isinstance(value, bool):
        return None
    if kind is str:
        return value if isinstance(value, str) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number):
        return None
    if kind is int:
        return int(number) if number == int(number) else None
    return number


def format_value(value: Any) -> str:
    """Write a value as the command line reads it."""
    if isinstance(value, tuple):
        return TUPLE_SEPARATOR.join(format_value(item) for item in typing.cast("tuple[Any, ...]", value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def label(name: str, params: Any) -> str:
    """Return `name:key=value,...` with the parameters that differ from their defaults."""
    changed = [
        f"{known.name}={format_value(getattr(params, known.name))}"
        for known in parameters(type(params)).values()
        if known.required or getattr(params, known.name) != known.default
    ]
    return f"{name}:{','.join(changed)}" if changed else name
