"""Compiled networks give the numbers of others; what a step reuses or joins is as the recipe says, and is told."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from equality import COMPILED, CPU, apart, difference, made, trained
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

import ganzoo
from ganzoo.engine.machine import environment
from ganzoo.errors import ContractError
from ganzoo.train import passes
from ganzoo.train.apart import norms_apart
from ganzoo.train.computed import computed, computed_weights
from ganzoo.train.execution import EAGER, Execution
from ganzoo.train.step import Batch

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute")  # PyTorch's own, where it compiles
PLAIN = "dcgan:width=8,critic_norm=none"


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "request_",
    [
        {"trick": "spectral-norm"},
        {"loss": "wgan-gp", "trick": "virtual-batch-norm:reference=8"},
        {"trick": "unrolled:steps=1,r1:interval=2"},
    ],
)
def test_compiled_networks_give_the_numbers_of_eager(request_, double):
    eager, compiled = (made(mode, CPU, pytest.fail, **request_) for mode in (EAGER, COMPILED))
    assert difference(trained(eager, 3), trained(compiled, 3)) < 1e-9
    assert apart(eager, compiled) < 1e-9


class Drifts(nn.Module):
    """A parametrisation that puts a new tensor in place of its buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, weight):
        self.seen = self.seen + 1
        return weight * self.seen


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("bf16", [False, True])
def test_computed_weights_keep_their_state_and_are_computed_once_a_pass(bf16):
    plain, compiled = (parametrize.register_parametrization(nn.Linear(3, 3), "weight", Drifts()) for _ in range(2))
    compiled.load_state_dict(plain.state_dict())
    before, run, x = plain.parametrizations.weight[0].seen, passes.Compiled(pytest.fail), torch.randn(2, 3)
    for _ in range(2):
        outputs = [
            carry_out(passes.judged, network, lambda features, _: features.sum(1), [x], None, bf16=bf16)[0][0]
            for carry_out, network in ((passes.directly, plain), (run, compiled))
        ]
        assert torch.allclose(*outputs, rtol=1e-2 if bf16 else 1e-6)
        assert all(one.given is None for one in passes.computed_weights([plain, compiled]))
    assert [one.parametrizations.weight[0].seen for one in (plain, compiled)] == [before + 2] * 2


def nothing(network):
    """Register no hook."""


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    "put",
    [
        lambda network: network.register_forward_hook(lambda module, seen, found: 3 * found),
        lambda network: network.register_forward_pre_hook(lambda module, seen: (3 * seen[0],)),
        lambda network: network[0].register_forward_hook(lambda module, seen, found: 3 * found),
    ],
)
def test_runs_that_share_what_is_compiled_keep_their_hooks(put):
    run, x = passes.Compiled(pytest.fail), torch.randn(2, 3)
    network = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    for hook in (nothing, put):
        hook(network)
        logits = [
            carry_out(passes.judged, network, lambda features, _: features.sum(1), [x], None, bf16=False)[0][0]
            for carry_out in (passes.directly, run)
        ]
        assert torch.allclose(*logits)
        network = copy.deepcopy(network)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_computed_weight_may_be_the_one_that_it_is_computed_from(compiled):
    carry_out = passes.Compiled(pytest.fail) if compiled else passes.directly
    network = parametrize.register_parametrization(nn.Linear(3, 3), "weight", nn.Identity())
    names = [name for name, _ in network.named_parameters()]
    ((logits, _),) = carry_out(passes.judged, network, lambda x, _: x.sum(1), [torch.randn(2, 3)], None, bf16=True)
    logits.sum().backward()
    assert network.parametrizations.weight.original.grad is not None
    assert [name for name, _ in network.named_parameters()] == names


@pytest.mark.usefixtures("traced")
def test_what_breaks_in_the_middle_has_not_run_by_then(double):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            y = self.norm(x)
            print(end="")
            torch._dynamo.graph_break()
            return y

    told: list[str] = []
    network = Breaks()
    run = passes.Compiled(told.append)
    run(passes.judged, network, lambda x, _: x.sum(1), [torch.randn(4, 3)], None, bf16=False)
    assert network.norm.num_batches_tracked == 1 and len(told) == 1


def test_to_compute_weights_for_a_compiled_pass_changes_nothing():
    network = spectral_norm(nn.Linear(3, 2))
    before = copy.deepcopy(network)
    (value,), after = computed(computed_weights([network]))
    assert all(map(torch.equal, network.buffers(), before.buffers()))
    assert torch.equal(value, before.weight) and all(map(torch.equal, after, before.buffers()))


def test_a_weight_is_computed_anew_after_a_pass_that_failed():
    network = spectral_norm(nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match="shapes"):
        passes.directly(passes.judged, network, network, [torch.ones(1, 4)], None, bf16=True)
    before = network.weight
    with torch.no_grad():
        network.parametrizations.weight.original.add_(torch.randn(2, 3))
    assert not torch.equal(before, network.weight)


@pytest.mark.usefixtures("traced")
def test_compiled_spectral_norm_stays_in_float32():
    request = {"model": "mlp", "trick": "spectral-norm"}
    plain, compiled = (
        trained(made(Execution(precision="bf16", compiled=compiled), CPU, pytest.fail, **request), 3)
        for compiled in (False, True)
    )
    assert difference(plain, compiled) < 1e-3


def test_where_networks_cannot_be_compiled_a_run_says_why_once_and_goes_on(monkeypatch, double):
    def broken(*_, **__):
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(passes.torch, "compile", lambda *_, **__: broken)
    told: list[str] = []
    eager, compiled = (trained(made(mode, CPU, told.append), 3) for mode in (EAGER, COMPILED))
    assert difference(eager, compiled) < 1e-9
    assert told == ["networks are not compiled: RuntimeError: no compiler here"]


def test_what_a_network_raises_is_its_own_and_not_the_compilers():
    told: list[str] = []
    run = passes.Compiled(told.append)
    run.compiled[passes.generated] = passes.generated
    with pytest.raises(RuntimeError, match="shapes"):
        run(passes.generated, lambda z, _: torch.nn.Linear(2, 2)(z), torch.ones(1, 3), None, bf16=False)
    assert not told and not run.failed


@pytest.mark.usefixtures("traced")
def test_where_compiling_ends_a_run_says_so(monkeypatch, double):
    monkeypatch.setattr(passes, "RECOMPILATIONS", 1)
    told: list[str] = []
    trained(made(COMPILED, CPU, told.append, model="mlp"), 2)
    assert len(told) == 1 and "RecompileLimitHit" in told[0]


def test_a_verdict_may_be_changed_in_place():
    one = made(EAGER, CPU, model=PLAIN)
    step = one._player_step("discriminator", 0, Batch(*(torch.randn(4, 3, 32, 32) for _ in "rf"), torch.zeros(4), None))
    for together in (None, one.game.judge_together):
        step.judged_together_by, step._verdicts = together, []
        before = step.judge(step.fake).logits.clone()
        step.judge(step.fake).logits.mul_(2)
        assert torch.equal(step.judge(step.fake).logits, 2 * before)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"model": PLAIN},
        {"model": "mlp:critic_norm=batch", "loss": "hinge"},
        {"loss": "wgan-gp"},
        {"loss": "rpgan"},
        {"trick": "feature-matching,virtual-batch-norm:reference=8"},
        {"model": PLAIN, "trick": "r1:interval=2,projection"},
        {"trick": "ada:images=2000,packing"},
    ],
)
def test_one_pass_for_both_batches_changes_no_number(request_, double):
    separate, joint = made(EAGER, CPU, **request_), made(EAGER, CPU, recipe={"joint_pass": True}, **request_)
    passes_ = [0, 0]
    for number, one in enumerate((separate, joint)):
        one.game.networks.body.register_forward_hook(
            lambda *_, number=number: passes_.__setitem__(number, passes_[number] + 1)
        )
    assert difference(trained(separate, 4), trained(joint, 4)) < 1e-9
    assert apart(separate, joint) < 1e-9
    assert passes_[0] - passes_[1] == 4 * joint.run.recipe["n_critic"]


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("model", ["dcgan:width=8", "mlp:critic_norm=batch"])
def test_one_compiled_pass_normalises_each_batch_by_itself(model, double):
    eager, compiled = (
        made(mode, CPU, pytest.fail, model=model, recipe={"joint_pass": joint})
        for mode, joint in ((EAGER, False), (COMPILED, True))
    )
    assert difference(trained(eager, 3), trained(compiled, 3)) < 1e-9
    assert apart(eager, compiled) < 1e-9


@pytest.mark.parametrize(
    "settings", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}, {"momentum": 0.0}]
)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_batch_norm_of_two_batches_is_two(settings, training, dtype):
    torch._dynamo.reset()
    alone, eager, compiled = (nn.BatchNorm2d(3, **settings).train(training) for _ in range(3))
    precision = torch.float64 if dtype == torch.float64 else torch.float32
    x, scale = torch.randn(6, 3, 4, 4, dtype=dtype), torch.randn(6, 3, 4, 4, dtype=dtype)
    found = []
    for one, way in ((alone, "alone"), (eager, "eager"), (compiled, "compiled")):
        one.to(precision)
        run = torch.compile(one, backend="aot_eager") if way == "compiled" else one
        input = x.clone().requires_grad_()
        with norms_apart([one], 1 if way == "alone" else 2):
            output = torch.cat([run(input[:3]), run(input[3:])]) if way == "alone" else run(input)
        (output * scale).sum().backward()
        found.append([output, input.grad, *(p.grad for p in one.parameters()), *one.buffers()])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert a.dtype == b.dtype
            assert torch.allclose(
                a, b, rtol=1e-9 if dtype == torch.float64 else 0.05, atol=1e-9 if dtype == torch.float64 else 0.05
            )


class Own(nn.BatchNorm1d):
    """A batch norm with a `forward` of its own."""

    def forward(self, input):
        return input - input.mean(0)


@pytest.mark.parametrize("made_", [Own, nn.SyncBatchNorm, lambda count: torch.jit.script(nn.BatchNorm1d(count))])
@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated
def test_a_norm_that_could_mix_batches_is_refused(made_):
    norm = made_(3)
    kind = type(norm)
    with norms_apart([nn.Sequential(norm)], 1):
        pass
    with pytest.raises(ContractError, match="joint_pass could mix real and generated images in"):
        norms_apart([nn.Sequential(nn.BatchNorm1d(3), norm)], 2).__enter__()
    assert type(norm) is kind


def test_batches_of_unequal_size_are_refused_and_the_network_is_what_it_was():
    body = nn.Sequential(nn.BatchNorm1d(3))
    with pytest.raises(RuntimeError), norms_apart([body], 2):
        body(torch.randn(7, 3))
    assert type(body[0]) is nn.BatchNorm1d and body(torch.randn(7, 3)).mean().abs() < 1e-6
    assert pickle.loads(pickle.dumps(body))


@pytest.mark.parametrize(
    ("trick", "reason"),
    [
        (trick, f"{trick}: it compares the images of a pass, which would be real and generated ones")
        for trick in ("minibatch-stddev", "minibatch-discrimination")
    ],
)
def test_batches_that_would_mix_are_not_joined(trick, reason):
    (run,) = ganzoo.plan(dataset="digits", model="dcgan", loss="bce", trick=trick, recipe={"joint_pass": True}).runs
    assert run.recipe["joint_pass"] is False and run.adjustments == (f"joint pass = no ({reason})",)


@pytest.mark.parametrize("request_", [{}, {"loss": "wgan-gp"}])
def test_the_images_of_the_last_discriminator_step_are_reused(request_, double):
    one = made(EAGER, CPU, recipe={"reuse_fakes": True}, **request_)
    generated: list[bool] = []
    one.game.networks.generator.register_forward_hook(lambda *given: generated.append(given[2].requires_grad))
    before = [weight.clone() for weight in one.modules["generator"].parameters()]
    one.step()
    n_critic = one.run.recipe["n_critic"]
    assert generated == [False] * (n_critic - 1) + [True]
    assert one.batches.draws == n_critic
    assert not any(map(torch.equal, before, one.modules["generator"].parameters()))


def test_a_generator_that_reuses_is_the_loop_of_the_tutorials(double):
    """Radford et al.'s release: one batch of images a step, which both players learn from."""
    one, other = (made(EAGER, CPU, recipe={"reuse_fakes": True}, model=PLAIN) for _ in range(2))
    (by_trainer,) = trained(one, 1)
    networks, game = other.game.networks, other.game
    other.batches.fetch(1)
    real = other._real(other.batches.next())
    fake = networks.generator(game.latents(len(real), other.latent_rng), None)
    judge = lambda images: networks.head(networks.body(images), None)  # noqa: E731
    softplus = torch.nn.functional.softplus
    loss = softplus(-judge(real)).mean() + softplus(judge(fake.detach())).mean()
    loss.backward()
    other.optimizers["discriminator"].step()
    assert by_trainer["generator bce/fake"] == pytest.approx(softplus(-judge(fake)).mean().item(), abs=1e-12)


def test_a_result_tells_what_was_reused_and_joined():
    recipe = {"reuse_fakes": True, "joint_pass": True}
    told = environment(recipe, CPU, 1, EAGER, [])["batches"]
    assert told == (
        "fakes of the discriminator's last step reused for the generator; real and fake pass the discriminator together"
    )
