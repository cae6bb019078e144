"""Typed errors. Every message says what is wrong, where, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMED = 24
"""Known names that an error lists; more of them hide what it says, and `ganzoo list` has those of components."""


class GanzooError(Exception):
    """The base of every error that a user can mend; the command line prints it on one line and exits with 2."""


class UnknownComponentError(GanzooError):
    """A name that no installed distribution registers."""


class AmbiguousNameError(GanzooError):
    """A name that several distributions register; `dist/name` chooses one."""


class BrokenPluginError(GanzooError):
    """A component that is registered but cannot be used: it does not import, or speaks another API version."""


class ParameterError(GanzooError):
    """A parameter that a component does not have, or a value that it does not take."""


class IncompatibleError(GanzooError):
    """Components that cannot work together, with the reason that one of them declares."""


class SuiteError(GanzooError):
    """A suite file with an unknown key or a bad value; names the file and the dotted key."""


class DataError(GanzooError):
    """A dataset that is missing, unreadable or of the wrong shape."""


class WeightsError(GanzooError):
    """Weights of a feature extractor that are missing, damaged or not the expected ones."""


class ResultsError(GanzooError):
    """A results folder that cannot be read, written or continued."""


class DeviceError(GanzooError):
    """A device that was asked for and is not there."""


class ContractError(GanzooError):
    """A component that breaks its contract while it trains, e.g. an architecture whose images have another shape."""


class EngineError(GanzooError):
    """An engine that could not carry a job out; names the engine and what it raised."""


class Interrupted(GanzooError):  # noqa: N818 - being interrupted is no error
    """The user or the system asked to stop; finished work is kept."""


class RenamedWarning(FutureWarning):
    """A name that still works and should be written anew; a future version of its distribution may drop it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `'; did you mean "x"?'` for the nearest known name, or a list of the known names where they are few."""
    known = sorted(known)
    swapped = [one for one in known if sorted(one) == sorted(name)]  # two letters in the other's place: modle
    near = swapped or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known: {', '.join(known)}" if 0 < len(known) <= MOST_NAMED else ""


def one_line(error: BaseException) -> str:
    """Return an exception's type and message on one line."""
    return f"{type(error).__name__}: {words_of(error)}".rstrip()


def words_of(error: BaseException) -> str:
    """Return an exception's message on one line; bytes of a file name that are not UTF-8 are escaped."""
    try:
        words = str(error)
    except Exception as another:  # a stranger's exception may not be able to say what it is
        words = f"its own message raised {type(another).__name__}"
    return " ".join(words.split()).encode(errors="backslashreplace").decode()
