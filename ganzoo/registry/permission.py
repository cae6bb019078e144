"""Which plugins may be imported: what the user has switched off, or left out of a grid. No torch."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from ganzoo.registry.discovery import Entry, normalise

DISABLE = "GANZOO_DISABLE"
"""Distributions, components, or `dist/name`, with commas between them: none of these is imported."""
ONLY_FROM = "GANZOO_ONLY_FROM"
"""Distributions, with commas between them: nothing of any other is imported. `ganzoo bench --only-from` sets it."""


def listed(variable: str) -> tuple[str, ...]:
    """Return the words of an environment variable that holds a comma list."""
    return tuple(word.strip() for word in os.environ.get(variable, "").split(",") if word.strip())


def forbidden(entry: Entry) -> str:
    """Return why an entry must not be imported; empty where it may be."""
    off = {normalise(word) for word in listed(DISABLE)}
    if off.intersection((entry.name, f"{entry.distribution}/{entry.name}", entry.distribution)):
        return f"{DISABLE} names it"
    only = {normalise(word) for word in listed(ONLY_FROM)}
    if only and entry.distribution not in only:
        return f"only {', '.join(sorted(only))} may take part (--only-from)"
    return ""


@contextmanager
def only_from(distributions: Iterable[str]) -> Generator[None]:
    """Let nothing but these distributions be imported, here and in the processes that are started."""
    before = os.environ.get(ONLY_FROM)
    os.environ[ONLY_FROM] = ",".join(distributions)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(ONLY_FROM, None)
        else:
            os.environ[ONLY_FROM] = before
