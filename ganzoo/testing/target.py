"""Checks of the target: that it is there, and has the form that ganzoo calls."""

from __future__ import annotations

import inspect
from typing import Any

from ganzoo.api import Engine, Kind, Loss, Trick
from ganzoo.errors import one_line
from ganzoo.registry.loading import load_object
from ganzoo.testing.check import KINDS, BrokenClaimError, Check, check, require
from ganzoo.testing.subject import Subject

CALLED = {
    "architecture": ("params", "setting"),
    "loss": ("params",),
    "trick": ("params",),
    "dataset": ("params", "root", "split"),
    "extractor": ("params",),
    "engine": ("params",),
}
CONTRACTS: dict[Kind, type[Any]] = {"loss": Loss, "trick": Trick, "engine": Engine}
HOOKS = {
    "wrap": ("networks", "setting"),
    "modules": ("networks", "setting"),
    "schedule": ("rates", "progress"),
    "latent": ("z", "rng"),
    "real": ("images", "rng"),
    "augment": ("images", "rng"),
    "opponent": ("opponent", "step"),
    "verdict": ("verdict", "images", "step"),
    "targets": ("targets", "step"),
    "discriminator": ("step",),
    "generator": ("step",),
    "after_step": ("player", "networks", "number"),
    "sampler": ("generator",),
    "state_dict": (),
    "load_state_dict": ("state",),
    "capacity": ("device", "asked"),
    "start": ("job",),
}
"""What a method of a loss, trick or engine is called with, behind self."""


@check(
    "target",
    KINDS,
    "import",
    fix="let the spec's target name module:attribute of what builds the component, and install what it imports",
)
def _target_is_there(subject: Subject) -> None:
    """The target is imported when the first run starts: one that is missing is found out after the planning."""
    found = imported(subject)
    require(callable(found), f"{subject.spec.target} is {type(found).__name__}, and cannot be called")


@check("signature", KINDS, "target", fix="take the arguments that ganzoo.api's table at the top names, in that order")
def _takes_what_it_is_given(subject: Subject) -> None:
    """Targets are called by position; another signature fails when the first run starts."""
    words = CALLED[subject.component.kind]
    fault = accepts(imported(subject), *words)
    require(not fault, f"{subject.spec.target}: {fault}")


@check("contract", tuple(CONTRACTS), "target", fix="derive the class from Loss, Trick or Engine of ganzoo.api")
def _derives_from_its_contract(subject: Subject) -> None:
    """The methods of Loss, Trick and Engine are called, and nothing else is known of it."""
    contract = CONTRACTS[subject.component.kind]
    made = subject.target(subject.params)
    require(isinstance(made, contract), f"it builds {type(made).__name__}, which is no ganzoo.api.{contract.__name__}")


@check("hooks", tuple(CONTRACTS), "target", fix="give the hook the parameters that ganzoo.api gives it, in that order")
def _hooks_take_what_they_are_given(subject: Subject) -> None:
    """Hooks are called by position; one with other parameters fails in the middle of a run."""
    contract, made = CONTRACTS[subject.component.kind], subject.target(subject.params)
    for name in (hook for hook in HOOKS if hasattr(contract, hook)):
        fault = accepts(getattr(made, name), *HOOKS[name])
        require(not fault, f"{name}: {fault}")
    for attribute, known in (("differentiates", {"real", "fake"}), ("replaces", {"discriminator", "generator"})):
        found = set(getattr(made, attribute, ()))
        require(found <= known, f"{attribute} holds {', '.join(map(str, found - known))}; known: {', '.join(known)}")


def accepts(function: Any, *positional: str) -> str:
    """Return what is wrong with calling a function with these arguments; nothing where it can be."""
    try:
        signature = inspect.signature(function)
        signature.bind(*positional)
    except TypeError as error:
        return f"{error}; ganzoo calls it with ({', '.join(positional)})"
    except ValueError:  # built in C, and silent about its parameters
        return ""
    return ""


def imported(subject: Subject) -> Any:
    """Import the target and return it, or say what came of that."""
    try:
        return load_object(subject.spec.target)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise BrokenClaimError(f"importing {subject.spec.target} raised {one_line(error)}") from error


CHECKS: tuple[Check, ...] = (
    _target_is_there,
    _takes_what_it_is_given,
    _derives_from_its_contract,
    _hooks_take_what_they_are_given,
)
