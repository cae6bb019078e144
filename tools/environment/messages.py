"""What the user hears of the environment, apart from what the command prints."""

from __future__ import annotations

import sys


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def say(message: str) -> None:
    """Print a line."""
    print(f"tools/run.py: {message}", file=sys.stderr, flush=True)


def fail(message: str, code: int) -> int:
    """Say why there is no result and return an exit code."""
    say(message)
    return code
