"""Checks of whole steps of training: repeated, continued, in other modes and on a GPU."""

from __future__ import annotations

import io
from typing import Any

import torch

from ganzoo.api import Kind
from ganzoo.params import label
from ganzoo.planning.run import Run
from ganzoo.registry.provenance import CORE
from ganzoo.testing.check import BrokenClaimError, Check, NotTried, check, require, some
from ganzoo.testing.rehearsal import META, NoPartnersError, Scene, asked, first_run, trainer
from ganzoo.testing.state import compare, finite, held
from ganzoo.testing.subject import Subject
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import PLAYERS, Trainer

PLAYED: tuple[Kind, ...] = ("architecture", "loss", "trick")
CONVOLUTIONS = f"{CORE}/dcgan"
ROUNDING = 1e-3
"""Of a term before the first update; float32 leaves about 1e-6, and other random numbers about 0.1."""
STEPS = 3
HALF = 20
"""Steps before a checkpoint, and behind it: enough for what a loss or trick does in every sixteenth."""
FEWER = 5
"""The same of an architecture, which keeps its own width."""


def train(one: Trainer, steps: int) -> Trainer:
    """Train some steps and check that all weights are still finite."""
    for _ in range(steps):
        one.step()
    for player, module in one.modules.items():
        finite({f"the {player}'s weight {name}": weight for name, weight in module.named_parameters()})
    return one


def weights_of(one: Trainer) -> dict[str, Any]:
    """Return a copy of the weights and buffers of both players."""
    return {player: {name: weight.clone() for name, weight in module.state_dict().items()}
            for player, module in one.modules.items()}  # fmt: skip


@check(
    "repeats",
    PLAYED,
    "training",
    fix="draw only from the generators that are passed in, keep no state between runs, and detach what a step keeps",
)
def _equal_runs_end_equal(subject: Subject) -> None:
    """Who runs the same seed again gets the same images, or can trust no comparison."""
    run = first_run(subject)
    first, second = (train(trainer(run), STEPS) for _ in range(2))
    compare(weights_of(first), weights_of(second), "of two runs with one seed the weights of the")


@check(
    "resumes",
    PLAYED,
    "training",
    fix="return all state from state_dict, restore it in load_state_dict, keep it in tensors",
)
def _a_continued_run_ends_equal(subject: Subject) -> None:
    """A run that is stopped and continued ends with the same bits as one that is not."""
    run = first_run(subject)
    half = FEWER if subject.component.kind == "architecture" else HALF
    straight, stopped = train(trainer(run), half), train(trainer(run), half)
    buffer = io.BytesIO()
    torch.save(stopped.state_dict(), buffer)
    train(straight, half)
    buffer.seek(0)
    continued = trainer(run)
    continued.load_state_dict(torch.load(buffer, weights_only=True))
    train(continued, half)
    told = "of a run that was stopped and continued"
    compare(weights_of(straight), weights_of(continued), f"{told} the weights of the")
    first, second = ([trick.state_dict() for _, trick in one.game.tricks] for one in (straight, continued))
    compare(first, second, f"{told} the state of trick")


@check("mode", ("loss", "trick"), "training", fix="call train() again after eval(), where it was in training mode")
def _networks_stay_in_their_mode(subject: Subject) -> None:
    """Batch norm and dropout are others in eval mode: left there, networks train as no one has described."""
    one = trainer(first_run(subject))
    before = _modes(one)
    after = _modes(train(one, 1))
    left = [name for name, training in after.items() if training != before.get(name, training)]
    require(not left, f"a step leaves another mode (training or eval) in {some(left)}")


def _modes(one: Trainer) -> dict[str, bool]:
    """Return which modules are in training mode."""
    return {f"the {player}'s {name}": module.training
            for player, modules in one.modules.items() for name, module in modules.named_modules() if name}  # fmt: skip


@check(
    "memory",
    ("loss", "trick"),
    "training",
    fix="detach what is kept from step to step, and keep a fixed number of tensors",
)
def _memory_does_not_grow(subject: Subject) -> None:
    """A run takes 100,000 steps: what each leaves behind fills the memory."""
    held(trainer(first_run(subject)).step)


@check("options", ("loss", "trick"), "training", fix="do what each choice promises, or take it out of the choices")
def _every_option_trains(subject: Subject) -> None:
    """A switch or choice that the spec offers has to work."""
    for one in subject.options():
        try:
            train(trainer(first_run(one)), 1)
        except Exception as error:
            raise BrokenClaimError(f"{label(one.component.name, one.params)}: {error}") from error


@check(
    "format",
    PLAYED,
    "training",
    fix="draw by shape, torch.rand(x.shape, ...), not rand_like or uniform_ on a likeness; index, and use no strides; "
    "change no view in place, since what is flattened or unflattened may be a copy",
)
def _memory_formats_are_no_matter(subject: Subject) -> None:
    """With --mode fast, images and weights keep their channels last: the numbers are the same."""
    run = _colourful(subject)
    plain = _terms(Scene(run))
    with Execution(channels_last=True).kernels():
        last = _terms(Scene(run, memory_format=torch.channels_last))
    for name, value in plain.items():
        require(
            abs(last[name] - value) <= ROUNDING * max(1.0, abs(value)),
            f"{name} is {value:.4g}, and with the channels last {last[name]:.4g}",
        )


@check(
    "bfloat16",
    PLAYED,
    "training",
    fix="where they meet, give both one dtype: buffer.lerp_(x.mean(0).to(buffer.dtype)), x + bias.to(x.dtype)",
)
def _networks_run_in_bfloat16(subject: Subject) -> None:
    """With --precision bf16 layers give bfloat16, while weights and buffers stay float32: most functions want one."""
    one = trainer(first_run(subject), execution=Execution(precision="bf16"))
    if not one.execution.bf16:
        raise NotTried("this machine's own bfloat16 is wrong for these layers")
    train(one, 1)


@check(
    "one-pass",
    ("architecture", "trick"),
    "training",
    fix='judge each sample by itself, take a batch norm of PyTorch, or let the spec provide "couples-samples"',
)
def _a_sample_is_judged_by_itself(subject: Subject) -> None:
    """With the recipe's joint_pass real and generated images share a pass: none may be judged by what is beside it."""
    run = first_run(subject, recipe={"joint_pass": True})
    if not run.recipe["joint_pass"]:
        raise NotTried("; ".join(run.adjustments))
    first, second = (_judged_beside(run, other) for other in (1, 2))
    require(
        bool(torch.isclose(first, second, rtol=ROUNDING, atol=ROUNDING).all()),
        f"beside other images the same ones have other logits: off by {(first - second).abs().max().item():.4g}",
    )


def _judged_beside(run: Run, other: int) -> torch.Tensor:
    """Return the logits of the same images beside others, of a discriminator and random numbers that are the same."""
    scene = Scene(run)
    step, beside = scene.step("discriminator"), scene.step("discriminator", seed=other).real
    torch.manual_seed(0)
    return scene.game.judge_together((step.real, beside), step)[0].logits


def _colourful(subject: Subject) -> Run:
    """Return a run on images of three channels, which have two orders in memory, with convolutions where that goes."""
    convolutions = {} if subject.component.kind == "architecture" else {"model": asked("architecture", CONVOLUTIONS)}
    for model in (convolutions, {}):
        try:
            return first_run(subject, dataset={"name": "cifar10"}, **model)
        except NoPartnersError as error:
            refused = error.reason
    raise NotTried(refused)


def _terms(scene: Scene) -> dict[str, float]:
    """Return every term of both players, before the first update."""
    found: dict[str, float] = {}
    for player in PLAYERS:
        for name, value in scene.terms(player).items():
            found[f"the {player}'s {name}"] = float(value.detach())
    return found


@check(
    "device",
    PLAYED,
    "training",
    fix="make new tensors with device=x.device, keep others in register_buffer(...), or move them with .to(x.device)",
)
def _what_meets_is_on_one_device(subject: Subject) -> None:
    """Most runs train on a GPU, for which PyTorch's device `meta` stands here: what is left on the CPU fails there."""
    run = first_run(subject)
    swapped = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # weights stay those that a trick may have noted
    try:
        scene = Scene(run, META)
        for player in PLAYERS:
            scene.objective(player).backward()
            for component in scene.game.components:
                component.after_step(player, scene.game.networks, 0)
    except Exception as error:
        if "is not on the expected device" in str(error):
            raise
        raise NotTried(f"it asks for more than shapes, which is all that stands for a GPU here: {error}") from None
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swapped)


@check(
    "cuda",
    ("loss", "trick"),
    "training",
    fix="make new tensors with device=x.device, and keep others in modules or tensors",
)
def _training_moves_to_a_gpu(subject: Subject) -> None:
    """Most runs train on a GPU: what is left on the CPU fails there."""
    if not torch.cuda.is_available():
        raise NotTried("PyTorch finds no CUDA device here")
    train(trainer(first_run(subject), torch.device("cuda")), STEPS)


CHECKS: tuple[Check, ...] = (
    _equal_runs_end_equal,
    _a_continued_run_ends_equal,
    _every_option_trains,
    _networks_stay_in_their_mode,
    _memory_does_not_grow,
    _memory_formats_are_no_matter,
    _networks_run_in_bfloat16,
    _a_sample_is_judged_by_itself,
    _what_meets_is_on_one_device,
    _training_moves_to_a_gpu,
)
