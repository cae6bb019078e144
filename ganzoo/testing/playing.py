"""Checks of what losses and tricks do in one step of a player."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from ganzoo.api import Loss, Player, Step, Targets, Terms, Trick, Verdict
from ganzoo.registry.provenance import CORE
from ganzoo.testing.check import BrokenClaimError, Check, check, require, some
from ganzoo.testing.rehearsal import Scene, first_run, trainer
from ganzoo.testing.state import compare, finite, gradients, no_global_randomness, unchanged, weights_left_alone
from ganzoo.testing.subject import Subject
from ganzoo.train.step import PlayerStep, frozen
from ganzoo.train.trainer import PLAYERS

BOTH = ("loss", "trick")
STEPS = 20
"""Within so many all that a trick adds takes effect, at least now and then."""
SURE = 30.0
"""A logit of a discriminator that is sure of itself; sigmoid(30) is 1 in float32."""


def scene(subject: Subject) -> Scene:
    """Return the component's first step with the first built-ins that it works with."""
    return Scene(first_run(subject))


def component(made: Scene, subject: Subject) -> Loss | Trick:
    """Return the component that is checked, as the scene built it."""
    return made.game.loss[1] if subject.component.kind == "loss" else made.game.tricks[0][1]


def own_terms(made: Scene, subject: Subject, player: Player, step: PlayerStep | None = None) -> Terms:
    """Return the component's own terms of one player."""
    step = step or made.step(player)
    with frozen(made.modules["discriminator"] if player == "generator" else nn.Module()):
        return getattr(component(made, subject), player)(step)


@check(
    "terms",
    BOTH,
    "contract",
    fix='return {"name": tensor} with one number in each, e.g. a mean; set differentiates for gradients by real, fake',
)
def _terms_are_named_scalars(subject: Subject) -> None:
    """The trainer adds the terms up and logs them by name: each is a tensor that holds one number."""
    made = scene(subject)
    for player in PLAYERS:
        terms = own_terms(made, subject, player)
        require(isinstance(terms, dict), f"{player}(step) gives {type(terms).__name__}, not a dict of terms")
        for name, value in terms.items():
            of = f"the {player}'s term {name!r}"
            require(isinstance(name, str), f"{of} has no string for a name")
            require(isinstance(value, Tensor), f"{of} is {type(value).__name__}, not a tensor")
            require(value.ndim == 0, f"{of} has shape {tuple(value.shape)}, not one number")
            require(value.is_floating_point(), f"{of} is {value.dtype}, not a floating-point number")
        require(terms or subject.component.kind == "trick", f"{player}(step) gives nothing to minimise")


@check(
    "finite", BOTH, "behaviour", fix="use logsigmoid and softplus for logs of sigmoids; keep divisors and roots off 0"
)
def _terms_are_finite(subject: Subject) -> None:
    """A term that is infinite where the discriminator is sure of itself ends the run as diverged."""
    made = scene(subject)
    for player in PLAYERS:
        finite({f"the {player}'s term {name!r}": value for name, value in own_terms(made, subject, player).items()})
    if subject.component.kind == "loss":
        for real, fake in ((SURE, -SURE), (-SURE, SURE), (0.0, 0.0)):
            _finite_where_sure(made, subject, real, fake)


def _finite_where_sure(made: Scene, subject: Subject, real: float, fake: float) -> None:
    """Move the logits of both batches to these, as a discriminator that is sure of them gives."""

    def judge(images: Tensor, step: Step) -> Verdict:
        verdict = made.game.judge(images, step)
        shift = real if images is step.real else fake
        return verdict._replace(logits=verdict.logits - verdict.logits.mean().detach() + shift)

    for player in PLAYERS:
        step = made.step(player)
        step.judged_by = judge
        terms = own_terms(made, subject, player, step)
        where = f"with logits of {real:g} for real and {fake:g} for fake"
        finite({f"the {player}'s term {name!r} {where}": value for name, value in terms.items()})


@check(
    "learns",
    BOTH,
    "behaviour",
    fix="compute the terms from step.judge(...) without detach(), item(), no_grad(); penalties with create_graph=True",
)
def _gradients_reach_the_right_player(subject: Subject) -> None:
    """Each player learns from its own terms alone: gradients that stop train nothing, and stray ones the other."""
    for player in PLAYERS:
        made = scene(subject)
        for name, value in own_terms(made, subject, player).items():
            require(value.requires_grad, f"the {player}'s term {name!r} depends on no weight: it teaches nothing")
        made = scene(subject)
        objective = made.objective(player)
        require(objective.requires_grad, f"what the {player} minimises depends on no weight: nothing can learn from it")
        objective.backward()
        other = PLAYERS[player == "discriminator"]
        slopes = gradients(made.modules[player])
        found = {name: slope for name, slope in slopes.items() if slope is not None}
        none = f"no gradient of what it minimises reaches the {player}"
        require(any(slope.abs().sum() > 0 for slope in found.values()), none)
        finite({f"the {player}'s gradient of {name}": slope for name, slope in found.items()})
        strays = [name for name, slope in gradients(made.modules[other]).items() if slope is not None]
        require(not strays, f"what the {player} minimises gives the {other}'s weights gradients")


@check(
    "trained",
    BOTH,
    "behaviour",
    fix="let a trick return its module from modules(), for the player whose terms it is in, or requires_grad_(False)",
)
def _what_learns_is_trained(subject: Subject) -> None:
    """A player's optimiser moves its networks and what modules() adds for it; no other weight ever changes."""
    made = scene(subject)
    known = {id(weight) for module in made.modules.values() for weight in module.parameters()}
    for player in PLAYERS:
        first, second = (_leaves(made.objective(player)) for _ in range(2))
        for one in first.keys() & second.keys() - known:  # what a step makes for itself is another every time
            shape = tuple(first[one].shape)
            raise BrokenClaimError(f"the {player}'s terms depend on a weight of shape {shape} that no optimiser trains")
    one = trainer(made.run)
    still = {
        player: {name: weight for name, weight in modules.named_parameters() if weight.requires_grad}
        for player, modules in one.game.extras.items()
    }
    while one.number < STEPS and any(still.values()):
        one.step()
        for weights in still.values():
            for name in [name for name, weight in weights.items() if weight.grad is not None]:
                del weights[name]
    for player, weights in still.items():
        none = f"in {STEPS} steps no term of the {player}'s depends on what modules() adds for it"
        require(not weights, f"{none}: {some(list(weights))}")


def _leaves(objective: Tensor) -> dict[int, Tensor]:
    """Return the tensors that an objective gives gradients to, by identity."""
    found: dict[int, Tensor] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [objective.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = node.variable
        waiting += (before for before, _ in node.next_functions)
    return found


@check(
    "targets", ("loss",), "behaviour", fix='train towards step.targets, or take "targets" out of what the spec provides'
)
def _promised_targets_are_trained_towards(subject: Subject) -> None:
    """Label smoothing and flipping move step.targets: beside a loss that has its own they do nothing, silently."""
    if "targets" not in subject.chosen.provides:
        return
    made = scene(subject)
    usual, moved = made.step("discriminator"), made.step("discriminator")
    moved.targets = Targets(usual.targets.real - 0.25, usual.targets.fake + 0.25)
    first, second = (own_terms(made, subject, "discriminator", step) for step in (usual, moved))
    same = all(torch.equal(first[name], second[name]) for name in first)
    require(not same, "provides says targets, and no term of the discriminator's depends on step.targets")


@check(
    "one-backward", BOTH, "behaviour", fix="return terms, and leave backward and the optimiser's step to the trainer"
)
def _terms_move_nothing(subject: Subject) -> None:
    """The trainer does one backward and one step; a component that does its own fights with all others."""
    made = scene(subject)
    for player in PLAYERS:
        step = made.step(player)
        with weights_left_alone(made.modules):
            own_terms(made, subject, player, step)


@check(
    "inputs-kept",
    BOTH,
    "behaviour",
    fix="write x = x + noise instead of x += noise, and x.clamp(...) for x.clamp_(...)",
)
def _inputs_are_not_changed(subject: Subject) -> None:
    """Loss and tricks share one step: what one changes in place, the others see, and autograd may refuse."""
    made = scene(subject)
    for player in PLAYERS:
        step = made.step(player)
        inputs = {
            "step.real": step.real,
            "step.fake": step.fake,
            "step.latent": step.latent,
            "step.labels": step.labels,
        }
        with unchanged(**inputs, **{"step.targets": step.targets.real}):
            own_terms(made, subject, player, step)
        if subject.component.kind == "trick":
            with unchanged(**inputs):
                made.terms(player, step)  # and its other hooks, as they are called
    if subject.component.kind == "trick":
        trick = cast("Trick", component(made, subject))
        step = made.step("discriminator")
        images = step.real.detach()
        for hook, source in (("latent", step.latent), ("real", images), ("augment", images)):
            given = source.clone()
            with unchanged(**{f"what {hook} is given": given}):
                getattr(trick, hook)(given, step.rng)


@check(
    "deterministic",
    BOTH,
    "behaviour",
    fix="draw from step.rng, or from the rng that the hook is given, and nothing else",
)
def _equal_steps_give_equal_terms(subject: Subject) -> None:
    """A run is a function of its seed: the same step on the same batch gives the same terms, bit by bit."""
    first, second = scene(subject), scene(subject)
    for player in PLAYERS:
        compare(first.terms(player), second.terms(player), f"of two equal steps the {player}'s term")
    if subject.component.kind == "loss":
        for player in PLAYERS:
            told = "asked twice for the same step, of a loss that may hold no state, the"
            again = (own_terms(first, subject, player), own_terms(first, subject, player))
            compare(*again, f"{told} {player}'s term")


@check("own-randomness", BOTH, "behaviour", fix="pass generator=step.rng to torch's functions; use no global generator")
def _global_generators_stay(subject: Subject) -> None:
    """Global generators are no part of a checkpoint's promise: a resumed run would end with other numbers."""
    made = scene(subject)
    for player in PLAYERS:
        with no_global_randomness():
            made.terms(player)
    one = trainer(made.run)
    if made.run.architecture.distribution == CORE:  # a network's own noise is torch's
        with no_global_randomness():
            one.step()


@check(
    "double-backward", BOTH, "behaviour", fix="use differentiable operations, and create_graph=True for inner gradients"
)
def _terms_can_be_differentiated_twice(subject: Subject) -> None:
    """Gradient penalties and unrolling differentiate through the discriminator's objective a second time."""
    made = scene(subject)
    weights = [weight for weight in made.modules["discriminator"].parameters() if weight.requires_grad]
    slopes = torch.autograd.grad(made.objective("discriminator"), weights, create_graph=True, allow_unused=True)
    bending = torch.stack([slope.square().sum() for slope in slopes if slope is not None]).sum()
    if bending.requires_grad:  # that of a linear objective is constant
        bending.backward()  # and not autograd.grad, which passes by what refuses to be differentiated
        found = gradients(made.modules["discriminator"])
        finite({f"the second derivative of {name}": slope for name, slope in found.items() if slope is not None})


CHECKS: tuple[Check, ...] = (
    _terms_are_named_scalars,
    _terms_are_finite,
    _gradients_reach_the_right_player,
    _what_learns_is_trained,
    _promised_targets_are_trained_towards,
    _terms_move_nothing,
    _inputs_are_not_changed,
    _equal_steps_give_equal_terms,
    _global_generators_stay,
    _terms_can_be_differentiated_twice,
)
