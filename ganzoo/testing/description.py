"""Checks of what a component says of itself: nothing is built, and torch is not imported."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from ganzoo.api import DatasetSpec, Setting
from ganzoo.errors import GanzooError, did_you_mean
from ganzoo.evaluate.metrics import METRICS
from ganzoo.params import build, label, parse, split
from ganzoo.planning.placement import OPTION_TRAITS
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import installed
from ganzoo.testing.check import KINDS, BrokenClaimError, Check, check, require, some
from ganzoo.testing.subject import Subject

LONGEST_SUMMARY = 120
HEAVY = ("torch", "torchvision", "tensorflow", "jax", "timm", "transformers", "scipy")
IMPORTS = "import sys, importlib; importlib.import_module({module!r}); print(*sorted({heavy!r} & set(sys.modules)))"
DATA_TRAITS = ("labels",)
"""What the plan itself provides, for data with classes."""


@check("api-version", KINDS, "spec", fix="upgrade what the message names, or write api=N for the API you use")
def _speaks_this_api(subject: Subject) -> None:
    """A plugin for another API version is listed and never built."""
    component = subject.component
    require(component.state != "wrong API", component.reason)


@check("spec", KINDS, "spec", fix="let the entry point name a ganzoo.api.Spec that imports without an error")
def _can_be_used(subject: Subject) -> None:
    """What does not import, or is no complete Spec, is listed as broken and never built."""
    component = subject.component
    require(component.spec is not None or component.state == "wrong API", component.reason)


@check("own-name", KINDS, "description", fix="choose another entry-point key; ganzoo list shows the names in use")
def _has_a_name_of_its_own(subject: Subject) -> None:
    """Where two distributions claim a name, users must write dist/name, and old commands stop working."""
    component = subject.component
    require(component.state != "ambiguous", component.reason)


@check("light-spec", KINDS, "description", fix="keep torch out of the spec's module; only the target's may import it")
def _imports_nothing_heavy(subject: Subject) -> None:
    """Every ganzoo command imports every spec: one that imports torch makes all of them wait for seconds."""
    module = subject.component.entry.partition(":")[0].strip()
    found = imports(module)
    require(not found, f"importing {module} imports {found}")


def imports(module: str) -> str:
    """Return what a module imports that takes seconds, with commas; nothing where it does not import at all."""
    code = IMPORTS.format(module=module, heavy=set(HEAVY))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    found = done.stdout.splitlines()[-1:] if done.returncode == 0 else []
    return ", ".join(" ".join(found).split())


@check("summary", KINDS, "description", fix="say what it does on one line, without a full stop")
def _says_what_it_is(subject: Subject) -> None:
    """The summary is its row in ganzoo list and in the gallery."""
    summary = subject.spec.summary
    require(summary.strip(), "the summary is empty")
    require("\n" not in summary, "the summary has several lines")
    most = f"the summary has {len(summary)} characters; a row has room for {LONGEST_SUMMARY}"
    require(len(summary) <= LONGEST_SUMMARY, most)


@check("paper", KINDS, "description", fix='write Paper("Title", 2024, "arXiv:2401.00001"), or leave it out')
def _names_its_paper(subject: Subject) -> None:
    """The paper is how a reader tells a method from its namesakes."""
    paper = subject.spec.paper
    if paper is not None:
        require(paper.title.strip(), "the paper has no title")
        require(1900 <= paper.year <= 2100, f"the paper's year is {paper.year}")


@check(
    "parameters",
    KINDS,
    "description",
    fix="give each a default of its type, within its range, and say in help what it is",
)
def _parameters_are_described(subject: Subject) -> None:
    """Parameters are the command line: users see their meaning, default and range, and nothing else."""
    cls = subject.spec.params
    require(cls.__dataclass_params__.frozen, f"{cls.__name__} is not frozen; write @dataclass(frozen=True)")
    silent = [name for name, parameter in subject.parameters().items() if not parameter.help]
    require(not silent, f"no help for {some(silent)}")
    for name, parameter in subject.parameters().items():
        low, high = parameter.low, parameter.high
        require(low is None or high is None or low <= high, f"{name} has low={low} above high={high}")
        require(not parameter.trait or parameter.choices, f"{name} has a trait and no choices for the plan to settle")
        if not parameter.required:
            given = {other.name: subject.values[other.name] for other in _required(subject)}
            read = getattr(_built(subject, given, f"the default of {name}"), name)
            require(read == parameter.default, f"the default of {name} is {parameter.default!r}, not {read!r}")


def _required(subject: Subject) -> list[Any]:
    return [parameter for parameter in subject.parameters().values() if parameter.required]


def _built(subject: Subject, values: Mapping[str, Any], what: str) -> Any:
    try:
        return build(subject.spec.params, values, subject.component.name)
    except GanzooError as error:
        raise BrokenClaimError(f"{what} is refused: {error}") from None


@check(
    "parameter-text",
    KINDS,
    "description",
    fix="use int, float, bool, str or tuples of numbers, without , or : in a choice",
)
def _parameters_survive_being_written(subject: Subject) -> None:
    """Runs are named on the command line and kept as JSON: a value must be the same after both."""
    for one in (subject, *subject.options()):
        written = label(subject.component.name, one.params)
        try:
            (name, values) = parse(*split(written))
        except (GanzooError, TypeError):
            raise BrokenClaimError(f'"{written}" is not read as one component with its parameters') from None
        read = _built(one, values, f'"{written}", as the command line writes it,')
        require((name, read) == (subject.component.name, one.params), f'"{written}" is read as {read}')
        kept = msgspec.json.decode(msgspec.json.encode(dataclasses.asdict(one.params)))
        require(_built(one, kept, "what JSON keeps") == one.params, f"{written} is another value after JSON")


@check(
    "declarations", KINDS, "description", fix="return what the docstrings of ganzoo.api.Spec name, for every parameter"
)
def _declarations_are_what_they_should_be(subject: Subject) -> None:
    """The plan asks for recipe, traits and reasons of every combination; what raises stops the user's whole grid."""
    for one in (subject, *subject.options()):
        chosen, at = one.chosen, label(subject.component.name, one.params)
        _ = chosen.recipe  # raises where it is no Recipe, or holds a bad value
        require(all(isinstance(trait, str) for trait in chosen.provides), f"{at}: provides holds what is no string")
        for field, reasons in (("requires", chosen.requires), ("conflicts", chosen.conflicts)):
            mute = [trait for trait, reason in reasons.items() if not (isinstance(reason, str) and reason.strip())]
            require(not mute, f"{at}: {field} gives no reason for {some(mute)}")
        _settings_are_answered(chosen, at)


def _settings_are_answered(chosen: Chosen, at: str) -> None:
    setting, spec = Setting((3, 32, 32), 10), chosen.component.usable_spec
    if spec.setting:
        chosen.ask("setting", chosen.params, setting)  # raises where it returns no Setting
    if spec.refuse:
        why = chosen.ask("refuse", chosen.params, setting)
        require(why is None or why, f"{at}: refuse gives {why!r}, not a reason or None")


@check(
    "known-traits", KINDS, "description", fix="use a trait that some component provides: ganzoo show NAME prints them"
)
def _traits_exist(subject: Subject) -> None:
    """A trait that nothing provides is never fulfilled, or never excludes anything: mostly a typing error."""
    known = set(OPTION_TRAITS) if subject.component.kind == "engine" else _known_traits()
    for one in (subject, *subject.options()):
        for field, traits in (("requires", one.chosen.requires), ("conflicts", one.chosen.conflicts)):
            for trait in traits:
                require(
                    trait in known,
                    f'{field} names the trait "{trait}", which nothing provides{did_you_mean(trait, known)}',
                )


def _known_traits() -> set[str]:
    found: set[str] = set(DATA_TRAITS)
    for component in installed().components:
        try:
            one = Subject(component)
            found.update(*(each.chosen.provides for each in (one, *one.options())))
        except Exception:
            continue
    return found


@check(
    "description",
    ("dataset",),
    "description",
    fix="name an extractor that is installed, and metrics that it can serve",
)
def _metrics_are_served(subject: Subject) -> None:
    """The plan scores runs by these metrics, and is refused where the feature network cannot give them."""
    spec = subject.spec
    assert isinstance(spec, DatasetSpec)
    written = subject.chosen.ask("extractor", subject.params) if callable(spec.extractor) else spec.extractor
    name, values = parse(written)
    extractor = Subject(installed().get("extractor", name), values).chosen
    for metric in spec.metrics:
        trait = METRICS[metric].trait
        served = not trait or trait in extractor.provides
        require(served, f"the metric {metric} needs {trait}, which the extractor {name} does not provide")


CHECKS: tuple[Check, ...] = (
    _speaks_this_api,
    _can_be_used,
    _has_a_name_of_its_own,
    _imports_nothing_heavy,
    _says_what_it_is,
    _names_its_paper,
    _parameters_are_described,
    _parameters_survive_being_written,
    _declarations_are_what_they_should_be,
    _traits_exist,
    _metrics_are_served,
)
