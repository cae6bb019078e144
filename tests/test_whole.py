"""Losses compiled with the passes that they judge by give the numbers of others; what cannot be compiled is told."""

from __future__ import annotations

from collections import deque

import pytest
import torch
from equality import COMPILED, CPU, JOINED, apart, difference, made, trained
from torch import nn
from torch._dynamo.backends.debugging import aot_eager

from ganzoo.api import NoParams, Trick
from ganzoo.errors import DeviceError
from ganzoo.train import lanes, passes, whole
from ganzoo.train.execution import EAGER
from ganzoo.train.step import OTHERWISE, frozen
from ganzoo.train.trainer import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute")  # PyTorch's own, where it compiles


class Ahead(Trick[NoParams]):
    """A trick whose term has a number of Python's in it, which changes from step to step."""

    weight = 0.0

    def schedule(self, rates, progress):
        self.weight = 0.1 * progress.step
        return rates

    def generator(self, step):
        return {"drift": self.weight * step.judge(step.fake).logits.mean()}


class Lazy(Trick[NoParams]):
    """A trick that judges other images, but not in the first steps."""

    number = 0

    def schedule(self, rates, progress):
        self.number = progress.step
        return rates

    def discriminator(self, step):
        return {} if self.number < 3 else {"flat": step.judge(0 * step.fake).logits.square().mean()}


class Asks(Trick[NoParams]):
    """A trick that asks what the discriminator would minimise, and changes nothing by it."""

    number = first = 0

    def schedule(self, rates, progress):
        self.number = progress.step
        return rates

    def opponent(self, opponent, step):
        if self.number >= self.first:
            opponent.objective()
        return opponent


class AsksLate(Asks):
    """The same, but not in the first steps."""

    first = 2


class Queue(Trick[NoParams]):
    """A trick that compares with the two batches before."""

    def __init__(self, params):
        super().__init__(params)
        self.seen = deque(maxlen=2)

    def discriminator(self, step):
        logits = step.judge(step.real).logits
        self.seen.append(logits.detach().mean())
        return {"still": 0.1 * (logits.mean() - sum(self.seen)).square()}


class Remembers(Trick[NoParams]):
    """A trick that puts a new tensor in place of what it keeps, within a list."""

    def __init__(self, params):
        super().__init__(params)
        self.means = {"real": [torch.zeros(())]}

    def discriminator(self, step):
        logits = step.judge(step.real).logits
        drift = logits.mean() - self.means["real"][0]
        self.means["real"][0] = logits.detach().mean()
        return {"drift": drift.square()}


class RemembersTwice(Trick[NoParams]):
    """A trick that puts a new tensor in the place of the one before twice: the last may lie where the first did."""

    def __init__(self, params):
        super().__init__(params)
        self.mean = torch.zeros(())

    def discriminator(self, step):
        logits = step.judge(step.real).logits
        drift = logits.mean() - self.mean
        for factor in (0.9, 1.1):
            self.mean = factor * logits.detach().mean()
        return {"drift": drift.square()}


class Breaks(Lazy):
    """A trick that fails at the third step."""

    def discriminator(self, step):
        if self.number == 2:
            raise LookupError("nothing there")
        return {}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("request_", "fits"),
    [
        ({}, {"discriminator": True, "generator": True}),
        (JOINED, {"discriminator": True, "generator": True}),
        ({"trick": "spectral-norm", "loss": "hinge", **JOINED}, {"discriminator": True, "generator": True}),
        ({"trick": "spectral-norm", "loss": "hinge"}, {"discriminator": False, "generator": True}),
        ({"trick": "feature-matching,label-smoothing"}, {"discriminator": True, "generator": True}),
        ({"loss": "wgan-gp"}, {"discriminator": False, "generator": True}),
        ({"trick": "unrolled:steps=1"}, {"discriminator": True, "generator": False}),
    ],
)
def test_losses_are_compiled_with_the_passes_that_they_judge_by(request_, fits, double):
    eager, compiled = (made(mode, CPU, pytest.fail, **request_) for mode in (EAGER, COMPILED))
    assert difference(trained(eager, 4), trained(compiled, 4)) < 1e-9
    assert apart(eager, compiled) < 1e-9
    assert compiled.settled.fits == fits


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("trick", "fits", "reason"),
    [
        (Ahead, {"discriminator": True, "generator": False}, "what they decide changes from step to step"),
        (Lazy, {"discriminator": False, "generator": True}, OTHERWISE),
        (AsksLate, {"discriminator": True, "generator": False}, OTHERWISE),
    ],
)
def test_losses_that_change_are_compiled_no_longer_and_that_is_told(monkeypatch, trick, fits, reason, double):
    monkeypatch.setattr(whole, "ANEW", 3)
    told: list[str] = []
    compiled = agreed(trick, told.append, 6)
    if trick is Ahead and compiled.settled.fits["generator"]:
        pytest.skip("this PyTorch compiles such a number once, as an input")
    assert compiled.settled.fits == fits
    assert len(told) == 1 and reason in told[0]


def agreed(trick, tell, steps) -> Trainer:
    """Return a compiled run with a trick and computed weights, which gave the numbers of eager."""
    eager, compiled = (made(mode, CPU, tell, trick="spectral-norm", **JOINED) for mode in (EAGER, COMPILED))
    for one in (eager, compiled):
        one.game.tricks.append(("own", trick(NoParams())))
    assert difference(trained(eager, steps), trained(compiled, steps)) < 1e-9
    assert apart(eager, compiled) < 1e-9
    return compiled


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("trick", "fits"),
    [
        (Asks, {"discriminator": True, "generator": False}),
        (Queue, {"discriminator": False, "generator": False}),
        (Remembers, {"discriminator": False, "generator": True}),
        (RemembersTwice, {"discriminator": False, "generator": True}),
    ],
)
def test_losses_that_the_compiler_would_misread_are_not_compiled(trick, fits, double):
    assert agreed(trick, pytest.fail, 5).settled.fits == fits


@pytest.mark.usefixtures("traced")
def test_gradients_that_the_compiler_loses_end_the_run():
    """As PyTorch 2.11's lost those of a batch norm of two batches: the run went on with the rest."""
    one = made(COMPILED, CPU, pytest.fail)

    def lossy(terms_of, game, *given):
        with frozen(game.networks.body):
            return whole.alone(terms_of, game, *given)

    one.whole.compiled = lossy
    trained(one, 1)
    with pytest.raises(DeviceError, match="of the discriminator's weights have no gradients"):
        trained(one, 1)


@pytest.mark.usefixtures("traced")
def test_a_loss_that_is_satisfied_ends_no_run():
    one = made(COMPILED, CPU, pytest.fail)

    def satisfied(*given):
        found = whole.alone(*given)
        return found._replace(objective=found.objective * 0)

    one.whole.compiled = satisfied
    trained(one, 3)
    assert one.whole.gradients == {"discriminator": [], "generator": []}


@pytest.mark.usefixtures("traced")
def test_a_run_that_is_continued_has_no_first_step_again():
    """Uncompiled, it would not end with the bits of one that was not stopped."""
    whole, stopped, continued = (made(COMPILED, CPU, pytest.fail, loss="wgan-gp") for _ in range(3))
    trained(stopped, 2)
    continued.load_state_dict(stopped.state_dict())
    assert continued.settled.fits == {"discriminator": False, "generator": True}
    trained(whole, 4)
    trained(continued, 2)
    assert apart(whole, continued) == 0


@pytest.mark.usefixtures("traced")
def test_random_tricks_say_once_why_losses_are_not_compiled(double):
    told: list[str] = []
    eager, compiled = (made(mode, CPU, told.append, trick="diffaugment") for mode in (EAGER, COMPILED))
    assert difference(trained(eager, 3), trained(compiled, 3)) < 1e-9
    assert told == ["losses are not compiled: they, or tricks, draw random numbers by a generator"]


@pytest.mark.usefixtures("traced")
def test_a_run_that_is_continued_says_again_why_losses_are_not_compiled():
    """Its record would say that they were, from then on."""
    before: list[str] = []
    after: list[str] = []
    stopped, continued = (made(COMPILED, CPU, told.append, trick="diffaugment") for told in (before, after))
    trained(stopped, 3)
    continued.load_state_dict(stopped.state_dict())
    trained(continued, 2)
    assert after == before == ["losses are not compiled: they, or tricks, draw random numbers by a generator"]


@pytest.mark.usefixtures("traced")
def test_what_a_trick_raises_is_its_own_and_not_the_compilers():
    one = made(COMPILED, CPU, lambda text: None)
    one.game.tricks.append(("own", Breaks(NoParams())))
    with pytest.raises(LookupError, match="nothing there"):
        trained(one, 4)
    assert one.number == 2


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("number", [1, 4])  # a pass of the generator; a whole step of the discriminator
def test_what_is_out_of_memory_is_not_carried_out_again(monkeypatch, number):
    """Batch norms may have seen its batch by then, and would see it twice."""
    calls: list[int] = []

    def scarce(module, inputs):
        found = aot_eager(module, inputs)

        def call(*given):
            calls.append(len(given))
            if len(calls) == number:
                raise torch.OutOfMemoryError("there is none left")
            return found(*given)

        return call

    monkeypatch.setattr(passes, "inductor", scarce)
    with pytest.raises(torch.OutOfMemoryError, match="none left"):
        trained(made(COMPILED, CPU, pytest.fail), 2)
    assert len(calls) == number


@pytest.mark.usefixtures("traced")
def test_a_step_that_is_compiled_leaves_nothing_but_its_terms_and_its_objective(monkeypatch):
    """Whatever else it returned would be kept, and its gradient would be zeros that are filled in and added."""
    outputs: list[int] = []

    def counted(module, inputs):
        (returned,) = (node.args[0] for node in module.graph.nodes if node.op == "output")
        outputs.append(sum(one.meta["example_value"].requires_grad for one in returned))
        return aot_eager(module, inputs)

    one = made(COMPILED, CPU, pytest.fail, **JOINED)
    trained(one, 1)
    monkeypatch.setattr(passes, "inductor", counted)
    trained(one, 1)
    assert outputs == [1, 1]


@pytest.mark.usefixtures("traced")
def test_a_reason_is_told_also_where_the_other_players_steps_never_fitted(double):
    told: list[str] = []
    trained(made(COMPILED, CPU, told.append, loss="wgan-gp", trick="diffaugment"), 3)
    assert told == ["losses are not compiled: they, or tricks, draw random numbers by a generator"]


def test_the_first_step_compiles_nothing_that_the_others_do_not_need(monkeypatch):
    torch._dynamo.reset()
    compiled: list[int] = []

    def counted(module, inputs):
        compiled[-1] += 1
        return aot_eager(module, inputs)

    monkeypatch.setattr(passes, "inductor", counted)
    one = made(COMPILED, CPU, pytest.fail, **JOINED)
    for _ in range(3):
        compiled.append(0)
        trained(one, 1)
    assert compiled == [1, 2, 0]  # the generator's pass; a step of either player


def test_the_compiler_is_told_what_to_carry_products_out_by(monkeypatch):
    from torch._dynamo.backends.common import aot_autograd
    from torch._inductor import compile_fx

    operators: list[str] = []

    def look(module, _):
        operators.extend(str(node.target) for node in module.graph.nodes)
        return module

    def compile_(module, inputs, config_patches, decompositions):
        assert config_patches == {}  # on a CPU
        return aot_autograd(fw_compiler=look, decompositions=decompositions)(module, inputs)

    monkeypatch.setattr(compile_fx, "compile_fx", compile_)
    monkeypatch.setattr(lanes, "padded", lambda x: True)
    torch._dynamo.reset()
    convolution, x = nn.Conv2d(3, 8, 1).requires_grad_(False), torch.randn(1, 3, 2, 2)
    assert torch.allclose(passes.compiled(convolution)(x), convolution(x), atol=1e-6)
    assert "aten.constant_pad_nd.default" in operators
