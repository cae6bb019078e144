"""Which engine carries a grid out, and whether it can do so as it was asked. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ganzoo.errors import IncompatibleError
from ganzoo.planning.choice import choose
from ganzoo.planning.request import Asked
from ganzoo.planning.suite import Place
from ganzoo.registry.compatibility import Chosen

USUAL = Asked("ganzoo-core/local", {}, Place("engine"))
"""What carries grids out where nothing else is asked for."""
CHOICES = {
    "device": ("auto", "cpu", "cuda"),
    "mode": ("auto", "eager", "fast", "graph", "compiled"),
    "precision": ("auto", "fp32", "tf32", "bf16"),
}
"""What the options that have a word for a value may be."""
OPTION_TRAITS = (*(f"{key}:{word}" for key, words in CHOICES.items() for word in words), "profile")
"""What options provide, for engines to exclude: `device:cuda` where `--device cuda` was asked for."""


def choose_engine(asked: Asked = USUAL, options: Mapping[str, object] | None = None) -> Chosen:
    """Look an engine up, and check that it can serve what was asked for.

    Args:
        asked: its name and parameters.
        options: `device`, `mode`, `precision` and `profile`, as far as they were given.

    Raises:
        GanzooError: a name that nobody knows, or a bad parameter.
        IncompatibleError: it excludes an option, and why.
    """
    (chosen,) = choose("engine", [asked])
    with asked.place.blamed():
        for trait, flag in _given(options or {}):
            if trait in chosen.conflicts:
                raise IncompatibleError(
                    f"the engine {chosen.name} excludes {flag}: {chosen.conflicts[trait]}; leave that out, or choose "
                    "another --engine"
                )
    return chosen


def _given(options: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield the traits of what was asked for, each with the flag that asks for it."""
    for key, value in options.items():
        if key in CHOICES:
            yield f"{key}:{value}", f"--{key} {value}"
        elif key == "profile" and value:
            yield key, f"--{key}"


def served_device(engine: Chosen, device: str) -> str:
    """Return the device to ask for: where the user leaves it open, the one that the engine does not exclude."""
    free = [one for one in ("cpu", "cuda") if f"device:{one}" not in engine.conflicts]
    return free[0] if device == "auto" and len(free) == 1 else device
