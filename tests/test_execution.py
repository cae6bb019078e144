"""Modes change a run's speed and not its numbers; what cannot be captured says why."""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from pathlib import Path

import pytest
import torch
from equality import LOSSES, STATEFUL, TRICKS, difference, made, trained
from zoo import play

import ganzoo
from ganzoo.api import NoParams, Trick
from ganzoo.engine.job import TrainingRun
from ganzoo.engine.messages import Event, Options
from ganzoo.errors import DeviceError
from ganzoo.train.capture import Decided, Unknown, choices_of
from ganzoo.train.execution import EAGER, Execution, choose_execution
from ganzoo.train.self_check import wrong_in_bfloat16

CPU = torch.device("cpu")
FAST = Execution(channels_last=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_fast_gives_every_loss_the_numbers_of_eager(loss, double):
    eager, fast = (trained(made(mode, CPU, loss=loss)) for mode in (EAGER, FAST))
    assert difference(eager, fast) < 1e-6


@pytest.mark.parametrize("trick", STATEFUL)
def test_fast_gives_tricks_with_state_the_numbers_of_eager(trick, double):
    eager, fast = (trained(made(mode, CPU, trick=trick)) for mode in (EAGER, FAST))
    assert difference(eager, fast) < 1e-6


@pytest.mark.parametrize("trick", TRICKS)
def test_fast_gives_every_trick_the_numbers_of_eager(trick, double):
    small = {"unrolled": "unrolled:steps=2", "virtual-batch-norm": "virtual-batch-norm:reference=8"}.get(trick, trick)
    eager, fast = (trained(made(mode, CPU, trick=small), 3) for mode in (EAGER, FAST))
    assert difference(eager, fast) < 1e-6


@pytest.mark.parametrize(("first", "second"), [(EAGER, FAST), (FAST, EAGER)])
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_run_goes_on_in_another_mode_with_the_numbers_that_it_would_have_had(first, second, optimizer, double):
    """Adam's fused kernel takes moments in another memory format than the weights' for those of other weights."""
    request = {"recipe": {"optimizer": optimizer}}
    whole, one, two = (made(mode, CPU, **request) for mode in (EAGER, first, second))
    trained(one, 3)
    two.load_state_dict(one.state_dict())
    assert difference(trained(whole, 6)[3:], trained(two, 3)) < 1e-6


def test_in_float32_fast_differs_from_eager_by_rounding():
    eager, fast = (trained(made(mode, CPU), 5) for mode in (EAGER, FAST))
    assert difference(eager, fast) < 1e-5


def test_bfloat16_learns_and_differs_by_its_rounding_alone():
    eager, low = (trained(made(mode, CPU, trick="spectral-norm"), 5) for mode in (EAGER, Execution(precision="bf16")))
    assert 1e-5 < difference(eager[:1], low[:1]) < 0.02
    assert difference(eager, low) < 0.2


@pytest.mark.parametrize("request_", [{"loss": "wgan-gp"}, {"trick": "r1"}, {"trick": "unrolled:steps=1"}])
def test_what_is_differentiated_twice_stays_in_float32(request_, monkeypatch):
    """Where all that the discriminator judges is, its body never sees bfloat16."""
    one = made(Execution(precision="bf16"), CPU, **request_)
    seen = {"bf16": 0, "fp32": 0}
    (first, *_) = [module for module in one.game.networks.body.modules() if isinstance(module, torch.nn.Conv2d)]

    def note(_, inputs, output):
        if output.requires_grad and inputs[0].requires_grad:
            seen["bf16" if output.dtype == torch.bfloat16 else "fp32"] += 1

    first.register_forward_hook(note)
    play(one, "discriminator" if "loss" in request_ or request_["trick"] == "r1" else "generator")
    assert seen["fp32"] and not seen["bf16"]


class Lengths(Trick[NoParams]):
    """Path lengths, which are gradients of the generator (Karras et al. 2020)."""

    def latent(self, z, rng):
        return z.requires_grad_()

    def generator(self, step):
        (slopes,) = torch.autograd.grad(step.fake.sum(), step.latent, create_graph=True)
        return {"lengths": slopes.square().mean()}


class Slopes(Trick[NoParams]):
    """A term of the generator's that differentiates the discriminator."""

    def generator(self, step):
        images = step.fake.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(step.judge(images).logits.sum(), images, create_graph=True)
        return {"slopes": (step.fake * slopes).mean()}


@pytest.mark.parametrize(("trick", "part"), [(Lengths, "generator"), (Slopes, "body")])
def test_what_a_term_of_the_generators_differentiates_twice_stays_in_float32(trick, part):
    one = made(Execution(precision="bf16"), CPU)
    one.game.tricks.append(("own", trick(NoParams())))
    kinds = torch.nn.Linear | torch.nn.Conv2d
    (first, *_) = [module for module in getattr(one.game.networks, part).modules() if isinstance(module, kinds)]
    seen: list[torch.dtype] = []
    first.register_forward_hook(
        lambda _, inputs, output: seen.append(output.dtype) if inputs[0].requires_grad and inputs[0].is_leaf else None
    )
    play(one, "generator")
    assert seen == [torch.float32]


def test_spectral_norm_stays_in_float32():
    one = made(Execution(precision="bf16"), CPU, trick="spectral-norm", recipe={"discriminator_lr": 1e-6})
    trained(one, 30)
    for module in one.game.networks.body.eval().modules():
        if isinstance(module, torch.nn.Conv2d):
            assert torch.linalg.svdvals(module.weight.flatten(1))[0].item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("wrong", ["output", "gradient"])
def test_where_bfloat16_is_computed_wrongly_a_run_says_so_and_is_in_float32(wrong, monkeypatch):
    right = torch.nn.Conv2d.forward

    def forward(self, images):
        if not torch.is_autocast_enabled("cpu"):
            return right(self, images)
        output = right(self, images)
        return output * 1.5 if wrong == "output" else output.detach() + 0.5 * (output - output.detach())

    monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
    told: list[str] = []
    one = made(Execution(precision="bf16"), CPU, told.append)
    assert one.execution.precision == "fp32" and not one.game.bf16
    assert len(told) == 1 and "body.layers.0" in told[0] and "float32 instead" in told[0]
    assert ("gradient" in told[0]) == (wrong == "gradient")


@pytest.mark.parametrize("request_", [{}, {"model": "sagan:width=8,critic_width=8", "loss": "hinge"}, {"model": "mlp"}])
def test_the_check_of_bfloat16_leaves_no_trace(request_):
    one = made(EAGER, CPU, trick="spectral-norm:generator=true", **request_)
    before = {player: {k: v.clone() for k, v in m.state_dict().items()} for player, m in one.modules.items()}
    rng = torch.get_rng_state()
    assert wrong_in_bfloat16(one.game) == ""
    assert torch.equal(rng, torch.get_rng_state())
    for player, modules in one.modules.items():
        assert all(torch.equal(value, before[player][name]) for name, value in modules.state_dict().items())
        assert all(weight.grad is None for weight in modules.parameters())


def test_auto_is_the_fastest_mode_of_a_device_in_float32():
    assert choose_execution("auto", "auto", CPU) == Execution(channels_last=True)
    assert choose_execution("auto", "auto", torch.device("cuda")) == Execution(graph=True)
    assert choose_execution("compiled", "auto", CPU) == Execution(channels_last=True, compiled=True)
    assert choose_execution("compiled", "auto", torch.device("cuda")) == Execution(graph=True, compiled=True)
    assert choose_execution("auto", "bf16", torch.device("cuda")) == Execution(
        graph=True, channels_last=True, precision="bf16"
    )


@pytest.mark.parametrize(
    ("mode", "precision", "advice"),
    [("graph", "auto", "use --mode fast or auto"), ("auto", "tf32", "use --precision fp32 or bf16")],
)
def test_graphs_and_tf32_need_a_gpu(mode, precision, advice):
    with pytest.raises(DeviceError, match=advice):
        choose_execution(mode, precision, CPU)


def test_tf32_ends_with_the_step():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    with Execution(precision="tf32").kernels():
        assert torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == before


def test_choices_are_what_python_decides_and_which_tensors_there_are():
    state = torch.zeros(2)
    before = dict(choices_of("trick", {"share": 0.5, "sd": state, "rest": object()}))
    assert before == dict(choices_of("trick", {"share": 0.5, "sd": state}))
    state.fill_(1)
    assert before == dict(choices_of("trick", {"share": 0.5, "sd": state}))
    assert before != dict(choices_of("trick", {"share": 0.4, "sd": state}))
    assert before != dict(choices_of("trick", {"share": 0.5, "sd": state.clone()}))


@pytest.mark.parametrize(
    ("held", "change"),
    [
        ({"n": 0}, lambda held: held.update(n=1)),
        ([torch.zeros(2)], lambda held: held.append(torch.zeros(2))),
        ({"means": [torch.zeros(2)]}, lambda held: held.update(means=[torch.zeros(2)])),
        ({1}, lambda held: held.add(2)),
        (OrderedDict(mean=torch.zeros(2)), lambda held: held.update(mean=torch.zeros(2))),
        (deque([0]), lambda held: held.append(1)),
    ],
)
def test_choices_are_also_what_lists_and_dicts_hold(held, change):
    """A graph would go on with what they held when it was captured."""
    values, decided = {"held": held, "pair": (1, held), "share": 0.5}, Decided()
    before = dict(choices_of("trick", values))
    assert before == dict(choices_of("trick", values)) == dict(decided.by("trick", values))
    hash(before["trick.held"])
    change(held)
    assert before != dict(choices_of("trick", values)) == dict(decided.by("trick", values))


def test_choices_are_looked_up_anew_where_any_value_is_another():
    values, decided = {"share": 0.5, "betas": (0.5, 0.999), "sd": torch.zeros(2), "rest": object()}, Decided()
    for key, value in ("share", 0.4), ("betas", (0.5, 0.9)), ("sd", torch.zeros(2)), ("sd", None), ("new", True):
        before = decided.by("trick", values)
        assert decided.by("trick", values) is before
        values[key] = value
        assert decided.by("trick", values) == tuple(choices_of("trick", values)) != before
    del values["share"]
    assert decided.by("trick", values) == tuple(choices_of("trick", values))


@pytest.mark.parametrize("trick", TRICKS)
def test_what_built_in_tricks_hold_is_the_same_from_step_to_step(trick):
    """Else their steps would not be captured; what `schedule` decides may change."""
    one = made(EAGER, CPU, trick={"virtual-batch-norm": "virtual-batch-norm:reference=8"}.get(trick, trick))
    trained(one, 2)
    kinds = dict | list | set
    holds = [(name, {k: v for k, v in vars(held).items() if isinstance(v, kinds)}) for name, held in one.game.tricks]
    before = [list(choices_of(name, values)) for name, values in holds]
    trained(one, 1)
    assert before == [list(choices_of(name, values)) for name, values in holds]


@pytest.mark.parametrize(
    "ask",
    [lambda n: n % 4, lambda n: n == 0, lambda n: 3 * n, lambda n: n and 1, lambda n: n < 5],
)
def test_a_captured_step_does_not_tell_its_number(ask):
    with pytest.raises(RuntimeError, match=r"decide by it in schedule\(\)"):
        ask(Unknown())


@pytest.mark.parametrize(("steps", "evaluations"), [(20, 1), (15, 15), (3, 1)])
def test_profiling_says_where_time_goes_and_changes_no_number(tmp_path, steps, evaluations):
    def finished(name: str, profile: bool) -> tuple[Path, list[Event]]:
        run = ganzoo.plan(model="mlp", loss="bce", recipe={"steps": steps}, samples=20, evaluations=evaluations).runs[0]
        options = Options(device="cpu", data_root="", cache=str(tmp_path / "cache"), profile=profile)
        told: list[Event] = []
        TrainingRun(run, tmp_path / name, options, told.append, bool).finish()
        return tmp_path / name, [event for event in told if event.kind == "note"]

    (plain, silent), (profiled, notes) = finished("plain", False), finished("profiled", True)
    assert silent == [] and len(notes) == 1
    assert "aten::addmm" in notes[0].text and str(profiled / "trace.json") in notes[0].text
    trace = (profiled / "trace.json").read_text(encoding="utf-8")
    assert "traceEvents" in json.loads(trace) and "convolution" not in trace  # that is the extractor, no part of a step
    assert (plain / "metrics.jsonl").read_bytes() == (profiled / "metrics.jsonl").read_bytes()
