"""Parameters under their old names, which go on working with a warning. No torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ganzoo.api import Spec
from ganzoo.errors import ParameterError, RenamedWarning


def renamed(spec: Spec, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return values with every old name of a parameter replaced by its new one, and warn of each.

    Args:
        spec: whose `renamed` says which they are.
        values: what was given, by name.
        where: the component, as the warning names it.

    Raises:
        ParameterError: a parameter is given under both names.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        new = spec.renamed.get(name, name)
        if new != name:
            if new in values:
                raise ParameterError(f"{where}: {name} is the old name of {new}; give one of them")
            warnings.warn(f"{where}: {name} is called {new} now; write that", RenamedWarning, stacklevel=3)
        found[new] = value
    return found
