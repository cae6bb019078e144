"""From an entry point to a spec that can be used, or the reason why not."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, cast

from ganzoo.api import API_VERSION, OLDEST_API, DataInfo, DatasetSpec, Paper, Recipe, Setting, Spec
from ganzoo.errors import ParameterError, did_you_mean, one_line
from ganzoo.evaluate.metrics import METRICS
from ganzoo.params import is_whole, parameters
from ganzoo.registry.discovery import Entry
from ganzoo.registry.permission import forbidden

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NEW_FIELD = re.compile(r"\b(Spec|DatasetSpec|Recipe|DataInfo|Paper|param)(\.__init__)?\(\) got an unexpected keyword")
"""What Python says where a spec was written for a newer API."""
REASONS = (Mapping, "a mapping of traits to reasons")
DECLARED: dict[str, tuple[Any, str]] = {
    "recipe": (Recipe, "a ganzoo.api.Recipe"),
    "provides": (Collection, "a collection of strings"),
    "requires": REASONS,
    "conflicts": REASONS,
}
"""What the fields of a spec that may be functions of the parameters hold or return."""
ANSWERS: dict[str, tuple[Any, str]] = DECLARED | {
    "setting": (Setting, "a ganzoo.api.Setting"),
    "refuse": (str | None, "a reason or None"),
    "describe": (DataInfo, "a ganzoo.api.DataInfo"),
    "extractor": (str, "a string"),
}
"""What the functions of a spec return."""
State = Literal["ok", "broken", "ambiguous", "wrong API", "disabled"]


def read_spec(entry: Entry) -> tuple[Spec | None, State, str]:
    """Return an entry's spec, or None, with its state and the reason for it."""
    reason = forbidden(entry)
    if reason:
        return None, "disabled", reason
    if not NAME.fullmatch(entry.name):
        return None, "broken", f'the name "{entry.name}" is not lower-case words joined by single dashes'
    try:
        with contextlib.redirect_stdout(sys.stderr):  # a plugin that prints must not end up in `ganzoo list --json`
            return _read(entry, load_object(entry.value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a stranger's module raises must stop only itself: a panic of Rust's, too
        return None, *_raised(entry, error)


def _raised(entry: Entry, error: BaseException) -> tuple[State, str]:
    """Return the state and the reason for an exception that importing a spec raised."""
    mend = f"upgrade ganzoo-core or {entry.distribution}, whichever is older"
    if isinstance(error, ImportError) and error.name == "ganzoo.api":
        return "wrong API", f"{error}: not in plugin API {API_VERSION}, which this ganzoo speaks; {mend}"
    newer = isinstance(error, TypeError) and NEW_FIELD.search(one_line(error))
    hint = "; a typing error, or written for a newer ganzoo-core: upgrade that" if newer else ""
    return "broken", f"importing {entry.value} raised {one_line(error)}{hint}"


def _read(entry: Entry, found: Any) -> tuple[Spec | None, State, str]:
    api = getattr(found, "api", None)
    if isinstance(api, int) and not OLDEST_API <= api <= API_VERSION:
        mend = "upgrade ganzoo-core" if api > API_VERSION else f"upgrade {entry.distribution}"
        spoken = f"{OLDEST_API} to {API_VERSION}" if OLDEST_API < API_VERSION else str(API_VERSION)
        return None, "wrong API", f"written for plugin API {api}, this ganzoo speaks {spoken}; {mend}"
    if not isinstance(found, Spec):
        return None, "broken", f"{entry.value} is {article(type(found).__name__)}, not a ganzoo.api.Spec"
    if found.kind != entry.kind:
        return None, "broken", f'{entry.value} says kind="{found.kind}" and is registered as {entry.kind}'
    if entry.kind == "dataset" and not isinstance(found, DatasetSpec):
        return None, "broken", f"{entry.value} is a Spec; a dataset needs a ganzoo.api.DatasetSpec"
    flaw = _flaw(found)
    return (None, "broken", f"{entry.value}: {flaw}") if flaw else (found, "ok", "")


def _flaw(spec: Spec) -> str:
    """Return what is wrong with a spec's fields; an empty text if nothing is."""
    fields: dict[str, tuple[Any, str]] = {
        "target": (str, "a string"), "summary": (str, "a string"), "paper": (Paper | None, "a ganzoo.api.Paper"),
        "formerly": (Collection, "a collection of strings"),
    }  # fmt: skip
    for name, (kind, words) in fields.items():
        if not isinstance(getattr(spec, name), kind):
            return f"{name} is {getattr(spec, name)!r}, not {words}"
    for name, (kind, words) in DECLARED.items():
        value = getattr(spec, name)
        if not callable(value) and not isinstance(value, kind):
            return f"{name} is {value!r}, not {words}"
    if ":" not in spec.target:
        return f'target is "{spec.target}", not module:attribute'
    for name, words in (("provides", spec.provides), ("formerly", spec.formerly)):
        if isinstance(words, str):
            return f'{name} is a string, not a collection of them; write ("{words}",)'
    return _params_flaw(spec) or (_dataset_flaw(spec) if isinstance(spec, DatasetSpec) else "")


def _params_flaw(spec: Spec) -> str:
    params: Any = spec.params
    if not is_dataclass(params):
        return f"params is {params!r}, not a dataclass"
    if not isinstance(params, type):
        return f"params is {params!r}; name the dataclass itself, not one of its instances"
    try:
        known = parameters(params)
    except (ParameterError, NameError) as error:  # NameError: an annotation that names what is not imported
        return f"params: {error}"
    wrong = [f"{old} -> {new}" for old, new in spec.renamed.items() if old in known or new not in known]
    return f"renamed has {wrong[0]}: the old name must be no parameter, and the new one must be one" if wrong else ""


def _dataset_flaw(spec: DatasetSpec) -> str:
    extractor: Any = spec.extractor
    metrics: Any = spec.metrics
    samples: Any = spec.samples
    if not isinstance(extractor, str) and not callable(extractor):
        return f"extractor is {extractor!r}, not the name of a feature network"
    if not isinstance(metrics, tuple | list) or not metrics:
        return f'metrics is {metrics!r}, not a tuple of names; write ("fid",)'
    for name in cast("Sequence[Any]", metrics):
        if name not in METRICS:
            return f'metrics: no metric "{name}"{did_you_mean(str(name), METRICS)}'
    if samples is not None and not (is_whole(samples) and samples > 1):
        return f"samples is {samples!r}, not a whole number above 1, or None"
    return ""


def load_object(value: str) -> Any:
    """Import what `module:attribute` names, e.g. a spec, or the target of a spec."""
    module, _, attribute = value.partition(":")
    found = importlib.import_module(module.strip())
    for name in filter(None, attribute.strip().split(".")):
        found = getattr(found, name)
    return found


def article(kind: str) -> str:
    """Return a kind with its article: `an architecture`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
