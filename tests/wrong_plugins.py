# ruff: noqa: E501 - a plugin reads best as one entry
"""Plugins that are each wrong in one way, and what `ganzoo check` must say of each."""

from __future__ import annotations

from typing import NamedTuple


class Wrong(NamedTuple):
    """A wrong plugin: the module of its spec, that of its target, and the check that names the fault."""

    kind: str
    check: str
    says: str
    target: str = ""
    spec: str = ""
    more: str = ""
    """What the spec says besides its kind, target and summary."""
    name: str = "wrong"


SPECS = {
    kind: f'SPEC = Spec(kind="{kind}", target="wrong_target:Wrong", summary="wrong in one way"{{more}})'
    for kind in ("architecture", "loss", "trick", "extractor", "engine")
} | {
    "dataset": "def described(params, root): return DataInfo((1, 8, 8), train=32, test=0, classes=2)\n"
    'SPEC = DatasetSpec(target="wrong_target:Wrong", summary="wrong in one way", extractor="digits-cnn", '
    "describe=described{more})"
}
HEADS = {
    "loss": """
import random
import numpy as np
import torch
from ganzoo.api import Loss, Step
from torch.nn.functional import softplus

class Good(Loss):
    def discriminator(self, step):
        return {"real": softplus(-step.judge(step.real).logits).mean(), "fake": softplus(self.fake(step)).mean()}
    def generator(self, step):
        return {"fake": softplus(-self.fake(step)).mean()}
    def fake(self, step):
        return step.judge(step.fake).logits
""",
    "trick": "import random\nimport torch\nfrom ganzoo.api import Targets, Trick\n",
    "architecture": """
import torch
from torch import nn
from ganzoo.zoo.architectures.mlp import build
from ganzoo.zoo.specs.architectures.dense import MLPParams

def small(setting, **more):
    return build(MLPParams(latent=4, generator=(16,), discriminator=(16,), **more), setting)

class Around(nn.Module):
    def __init__(self, inner, change):
        super().__init__()
        self.inner, self.change = inner, change
    def forward(self, *inputs):
        return self.change(self.inner(*inputs))

def changed(setting, part, change):
    made = small(setting)
    setattr(made, part, Around(getattr(made, part), change))
    return made
""",
    "dataset": """
import numpy as np
from ganzoo.api import Images
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 1, 8, 8), dtype=np.uint8)
LABELS = np.arange(32) % 2
""",
    "engine": """
import subprocess
from ganzoo.api import Capacity, Engine

class Popen(subprocess.Popen):
    def __del__(self, **_):
        pass  # what these plugins leave behind is no leak of the tests

class Good(Engine):
    def start(self, job):
        return Popen(["sh", "-c", job.shell], start_new_session=True)

class Around:
    def __init__(self, process):
        self.process = process
    def poll(self):
        return self.process.poll()
    def terminate(self):
        self.process.terminate()
    def kill(self):
        self.process.kill()
""",
    "extractor": """
import torch
from torch import nn
from ganzoo.api import Extracted

class Good(nn.Module):
    sha256, resize = "0" * 64, "mean of 8x8"
    def forward(self, images):
        means = nn.functional.adaptive_avg_pool2d(images.float().mean(1, keepdim=True), 4).flatten(1)
        return Extracted(self.change(means / 255))
    def change(self, features):
        return features
""",
}
LOSS = "class Wrong(Good):\n    def discriminator(self, step):\n        "
GENERATOR = "class Wrong(Good):\n    def generator(self, step):\n        "
TRICK = "class Wrong(Trick):\n    "
BUILD = "def Wrong(params, setting):\n    "
LOAD = "def Wrong(params, root, split):\n    "
NETWORK = "def Wrong(params): return Network()\nclass Network(Good):\n    "
PARAMS = "@dataclass(frozen=True)\nclass Params:\n    "

PLUGINS = {
    # what the spec says
    "torch in the spec": Wrong("loss", "light-spec", "importing wrong_spec imports torch", spec="import torch"),
    "another API": Wrong("loss", "api-version", "upgrade ganzoo-core", more=", api=9"),
    "a spec that raises": Wrong("loss", "spec", "raised OSError: no disk", spec='raise OSError("no disk")'),
    "a name that is taken": Wrong("loss", "own-name", "several distributions claim it", "class Wrong(Good): pass", name="bce"),
    "parameters that no command line can write": Wrong(
        "loss", "spec", "params: table: a parameter is int, float, ", spec=PARAMS + "table: dict = param(None)",
        more=", params=Params",
    ),
    "a default beyond its range": Wrong(
        "loss", "parameters", "weight must be at most 1, not 2", spec=PARAMS + 'weight: float = param(2.0, "w", high=1)',
        more=", params=Params",
    ),
    "a default of another type": Wrong(
        "loss", "parameters", "the default of weight is '1', not 1.0", spec=PARAMS + 'weight: float = param("1", "w")',
        more=", params=Params",
    ),
    "a parameter without help": Wrong(
        "loss", "parameters", "no help for weight", spec=PARAMS + "weight: float = param(1.0)", more=", params=Params"
    ),
    "a choice with a comma": Wrong(
        "loss", "parameter-text", '"wrong:mode=a,b"', spec=PARAMS + 'mode: str = param("c", "m", choices=("c", "a,b"))',
        more=", params=Params",
    ),
    "a recipe that raises": Wrong("loss", "declarations", "its recipe raised KeyError", more=", recipe=lambda p: {}[1]"),
    "a trait that nothing provides": Wrong(
        "trick", "known-traits", 'the trait "target", which nothing provides; did you mean "targets"?',
        more=', requires={"target": "it needs them"}',
    ),
    "a summary of a page": Wrong("loss", "summary", "has 400 characters", spec='import ganzoo.api as api; Spec = lambda summary, **k: api.Spec(summary="x" * 400, **k)'),
    # the target
    "a missing target": Wrong("loss", "target", "importing wrong_target:Wrong raised AttributeError", "x = 1"),
    "a target with another signature": Wrong(
        "architecture", "signature", "too many positional arguments; ganzoo calls it with (params, setting)",
        "def Wrong(params): return small(params)",
    ),
    "a hook with another signature": Wrong(
        "loss", "hooks", "generator: too many positional arguments", "class Wrong(Good):\n    def generator(self): pass"
    ),
    "no loss": Wrong("loss", "contract", "builds Wrong, which is no ganzoo.api.Loss", "class Wrong:\n    def __init__(self, params): pass"),
    # losses
    "a term for every image": Wrong(
        "loss", "terms", "the discriminator's term 'real' has shape (12,), not one number",
        LOSS + 'return {"real": step.judge(step.real).logits}',
    ),
    "a term that is a number": Wrong("loss", "terms", "is float, not a tensor", LOSS + 'return {"real": 1.0}'),
    "the log of a sigmoid": Wrong(
        "loss", "finite", "not finite: the discriminator's term 'fake' with logits of -30 for real and 30 for fake",
        LOSS + 'return {"fake": -(1 - self.fake(step).sigmoid()).log().mean()}',
    ),
    "NaN": Wrong("loss", "finite", "not finite: the generator's term 'fake'", GENERATOR + 'return {"fake": self.fake(step).mean() * float("nan")}'),
    "detached gradients": Wrong(
        "loss", "learns", "the generator's term 'fake' depends on no weight",
        GENERATOR + 'return {"fake": -self.fake(step).detach().mean()}',
    ),
    "a penalty that is not differentiated twice": Wrong(
        "loss", "learns", "the discriminator's term 'penalty' depends on no weight",
        LOSS + 'x = step.real.clone().requires_grad_()\n        logits = step.judge(x).logits.sum()\n'
        '        (slope,) = torch.autograd.grad(logits, x, retain_graph=True)\n'
        '        return {**super().discriminator(step), "penalty": slope.square().mean()}',
    ),
    "targets of its own": Wrong(
        "loss", "targets", "no term of the discriminator's depends on step.targets", "class Wrong(Good): pass",
        more=', provides=("targets",)',
    ),
    "a backward of its own": Wrong(
        "loss", "one-backward", "was given a gradient: no backward of your own",
        LOSS + 'loss = self.fake(step).mean()\n        loss.backward(retain_graph=True)\n        return {"fake": loss}',
    ),
    "in place on its inputs": Wrong(
        "loss", "inputs-kept", "step.real was changed in place",
        LOSS + "step.real.mul_(0.5)\n        return super().discriminator(step)",
    ),
    "in place on its inputs, which happen to stay as they are": Wrong(
        "loss", "inputs-kept", "step.real was changed in place",
        LOSS + "step.real.clamp_(-9, 9)\n        return super().discriminator(step)",
    ),
    "a generator of its own": Wrong(
        "loss", "deterministic", "of two equal steps the discriminator's term",
        LOSS + 'noise = torch.rand((), generator=RNG)\n        return {"fake": self.fake(step).mean() * noise}\nRNG = torch.Generator()',
    ),
    "a loss with a state": Wrong(
        "loss", "deterministic", "asked twice for the same step",
        LOSS + 'self.n = getattr(self, "n", 0) + 1\n        return {"fake": self.fake(step).mean() * self.n}',
    ),
    "NumPy's global generator": Wrong(
        "loss", "own-randomness", "numpy.random (NumPy's global generator)",
        LOSS + "np.random.rand()\n        return super().discriminator(step)",
    ),
    "no second derivative": Wrong(
        "loss", "double-backward", "raised RuntimeError: trying to differentiate twice",
        LOSS + 'return {"fake": Once.apply(self.fake(step)).square().mean()}\n'
        "from torch.autograd.function import once_differentiable\n"
        "class Once(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x):\n        ctx.save_for_backward(x)\n        return x ** 2\n"
        "    @staticmethod\n    @once_differentiable\n    def backward(ctx, g):\n        return g * 2 * ctx.saved_tensors[0]\n",
    ),
    "a weight that a loss learns": Wrong(
        "loss", "trained", "terms depend on a weight of shape () that no optimiser trains",
        LOSS + 'terms = super().discriminator(step)\n        return {"real": terms["real"] * self.weight.exp() - self.weight}\n'
        "    weight = torch.nn.Parameter(torch.zeros(()))",
    ),
    "a list that grows": Wrong(
        "loss", "memory", "more tensors are held after every step",
        GENERATOR + 'terms = super().generator(step)\n        KEPT.append(terms["fake"])\n        return terms\nKEPT = []',
    ),
    "a choice that does not work": Wrong(
        "loss", "options", "wrong:mode=b: no b here", GENERATOR + 'if self.params.mode == "b": raise ValueError("no b here")\n        return super().generator(step)',
        spec=PARAMS + 'mode: str = param("a", "m", choices=("a", "b"))', more=", params=Params",
    ),
    # tricks
    "augmented without gradients": Wrong(
        "trick", "learns", "depends on no weight", TRICK + "def augment(self, images, rng): return images.detach() * 0.5"
    ),
    "hidden global randomness": Wrong(
        "trick", "own-randomness", "torch's global generator",
        TRICK + "def augment(self, images, rng): return images + 0.1 * torch.randn_like(images)",
    ),
    "noise that follows the memory format": Wrong(
        "trick", "format", "with the channels last",
        TRICK + "def augment(self, images, rng): return images + torch.empty_like(images).uniform_(generator=rng)",
    ),
    "a view that is changed in place": Wrong(
        "trick", "format", "with the channels last",
        TRICK + "def augment(self, images, rng):\n        rows = images.flatten(1).clone()\n        rows.unflatten(1, images.shape[1:]).mul_(0.5)\n        return rows.view(images.shape)",
    ),
    "a verdict by comparison that does not say so": Wrong(
        "trick", "one-pass", "beside other images the same ones have other logits",
        TRICK + "def wrap(self, networks, setting):\n        networks.body.register_forward_hook(lambda module, seen, found: found - found.mean(0))\n        return networks",
    ),
    "latents of another length": Wrong(
        "trick", "shapes", "latent gives shape (12, 31) for (12, 32)", TRICK + "def latent(self, z, rng): return z[:, 1:]"
    ),
    "a latent hook in place": Wrong(
        "trick", "inputs-kept", "what latent is given was changed in place",
        TRICK + "def latent(self, z, rng): return z.mul_(0.5)",
    ),
    "a verdict that changes the images": Wrong(
        "trick", "inputs-kept", "step.real was changed in place",
        TRICK + "def verdict(self, verdict, images, step):\n        images.clamp_(-9, 9)\n        return verdict",
    ),
    "targets beyond 1": Wrong(
        "trick", "shapes", "targets of real are no probabilities",
        TRICK + "def targets(self, targets, step): return Targets(targets.real * 2, targets.fake)",
    ),
    "a state that is not restored": Wrong(
        "trick", "resumes", "of a run that was stopped and continued the weights of the discriminator",
        TRICK + 'n = 0\n    def discriminator(self, step):\n        self.n += 1\n        return {"drift": self.n * step.judge(step.real).logits.square().mean()}',
    ),
    "a part that another player's terms are made of": Wrong(
        "trick", "trained", "no term of the discriminator's depends on what modules() adds for it: 0.weight, 0.bias",
        TRICK + 'def modules(self, networks, setting):\n        self.code = torch.nn.Linear(networks.features, 2)\n'
        '        return {"discriminator": self.code}\n    def generator(self, step):\n'
        '        return {"code": self.code(step.judge(step.fake).features).square().mean()}',
    ),
    "a state that takes effect in every sixteenth step": Wrong(
        "trick", "resumes", "of a run that was stopped and continued the weights of the discriminator",
        TRICK + "n = 0\n    def discriminator(self, step):\n        self.n += 1\n"
        '        return {"drift": step.judge(step.real).logits.square().mean()} if self.n % 16 == 0 else {}',
    ),
    "noise of torch's own after a step": Wrong(
        "trick", "own-randomness", "torch's global generator",
        TRICK + "@torch.no_grad()\n    def after_step(self, player, networks, number):\n"
        "        for weight in networks.body.parameters(): weight.add_(1e-3 * torch.randn(weight.shape))",
    ),
    "a network that is left in eval mode": Wrong(
        "trick", "mode", "a step leaves another mode (training or eval) in the discriminator's 0",
        TRICK + "def after_step(self, player, networks, number): networks.body.eval()",
    ),
    "a tensor that is left on the CPU": Wrong(
        "trick", "device", "is not on the expected device",
        TRICK + "def augment(self, images, rng): return images + 0.1 * torch.randn(images.shape, generator=rng)",
    ),
    # architectures
    "a seed of its own": Wrong(
        "architecture", "deterministic", "two seeds give the same weights", BUILD + "torch.manual_seed(0)\n    return small(setting)"
    ),
    "noise in eval mode": Wrong(
        "architecture", "deterministic", "of two passes in eval mode the images differs",
        BUILD + 'return changed(setting, "generator", lambda images: images + 0.1 * torch.randn(images.shape))',
    ),
    "a position that is left on the CPU": Wrong(
        "architecture", "device", "is not on the expected device",
        BUILD + 'position = torch.linspace(0, 1, 64)\n    return changed(setting, "generator", lambda images: images + position[: images.shape[3]])',
    ),
    "a batch norm of its own that does not say so": Wrong(
        "architecture", "one-pass", "beside other images the same ones have other logits",
        BUILD + 'return changed(setting, "body", lambda features: features - features.mean(0))',
        more=', provides=("critic-norm:batch",)',
    ),
    "images of another size": Wrong(
        "architecture", "shapes", "images have shape (4, 1, 16, 8), not (4, 1, 8, 8)",
        BUILD + 'return changed(setting, "generator", lambda images: torch.cat([images, images], 2))',
    ),
    "logits in a column": Wrong(
        "architecture", "shapes", "logits have shape (4, 1), not (4,)",
        BUILD + 'return changed(setting, "head", lambda logits: logits[:, None])',
    ),
    "pixels from 0 to 255": Wrong(
        "architecture", "range", "pixels reach from",
        BUILD + 'return changed(setting, "generator", lambda images: 127.5 * (images + 1))',
    ),
    "pixels from 0 to 1": Wrong(
        "architecture", "range", "as if 0 were black",
        BUILD + 'return changed(setting, "generator", lambda images: images.sigmoid())',
    ),
    "a generator that ignores its latents": Wrong(
        "architecture", "latents", "two latents give the same image",
        BUILD + 'return changed(setting, "generator", lambda images: images[:1].expand_as(images))',
    ),
    "a weight that nothing trains": Wrong(
        "architecture", "gradients", "no gradient reaches the body's unused.weight",
        BUILD + "made = small(setting)\n    made.body.unused = nn.Linear(2, 2)\n    return made",
    ),
    "a choice that raises an exception of its own": Wrong(
        "architecture", "options", "wrong:mode=b: Odd: no b (3)",
        "class Odd(Exception):\n    def __init__(self, what, number): super().__init__(f'{what} ({number})')\n"
        + BUILD + 'if params.mode == "b": raise Odd("no b", 3)\n    return small(setting)',
        spec=PARAMS + 'mode: str = param("a", "m", choices=("a", "b"))', more=", params=Params",
    ),
    "weights outside of the state": Wrong(
        "architecture", "state", "with the same state_dict the",
        BUILD + 'shift = torch.randn(1, 1, 1, 1) * 0.1\n    return changed(setting, "generator", lambda images: images + shift)',
    ),
    "images that depend on their batch": Wrong(
        "architecture", "one-by-one", "an image depends on the others",
        BUILD + 'return changed(setting, "generator", lambda images: images - images.mean(0))',
    ),
    "a buffer that meets bfloat16": Wrong(
        "architecture", "bfloat16", "raised RuntimeError: expected dtype float for `end`",
        "class Mean(nn.Module):\n"
        "    def __init__(self, inner):\n        super().__init__()\n        self.inner = inner\n"
        '        self.register_buffer("mean", torch.zeros(()))\n'
        "    def forward(self, z, y):\n        images = self.inner(z, y)\n"
        "        if self.training:\n            self.mean.lerp_(images.detach().mean(), 0.1)\n"
        "        return images - self.mean\n" + BUILD + "made = small(setting)\n    made.generator = Mean(made.generator)\n    return made",
    ),
    # datasets
    "labels beyond the classes": Wrong(
        "dataset", "as-described", "labels reach from 0 to 2, of 2 classes", LOAD + "return Images(PIXELS, LABELS * 2)"
    ),
    "pixels that are floats": Wrong(
        "dataset", "as-described", "it holds float64 of shape", LOAD + "return Images(PIXELS / 255, LABELS)"
    ),
    "floats that were cast": Wrong(
        "dataset", "as-described", "train: the brightest pixel is 1 of 255",
        LOAD + "return Images((PIXELS / 255).round().astype(np.uint8), LABELS)",
    ),
    "another order every time": Wrong(
        "dataset", "deterministic", "train: loading twice gives other images",
        LOAD + "return Images(np.random.default_rng().permutation(PIXELS), LABELS)",
    ),
    # extractors
    "no hash": Wrong("extractor", "identity", "sha256 is 'v1', not 64 hex digits", NETWORK + 'sha256 = "v1"'),
    "logits that the spec does not know": Wrong(
        "extractor", "shapes", "logits are missing, and provides says classes", NETWORK + "pass", more=', provides=("classes",)'
    ),
    "features that depend on the batch": Wrong(
        "extractor", "one-by-one", "depends on the others of the batch",
        NETWORK + "def change(self, features): return features - features.mean(0)",
    ),
}  # fmt: skip


def modules(wrong: Wrong) -> dict[str, str]:
    """Return the source of both modules of a wrong plugin."""
    head = "from dataclasses import dataclass\nfrom ganzoo.api import DataInfo, DatasetSpec, Spec, param\n"
    spec = SPECS[wrong.kind].replace("{more}", wrong.more)
    return {
        "wrong_spec": f"{head}{wrong.spec}\n{spec}\n",
        "wrong_target": HEADS[wrong.kind] + (wrong.target or DEFAULT),
    }


DEFAULT = "\nclass Wrong(Good if 'Good' in globals() else Trick): pass\n"
PLURAL = {kind: f"ganzoo.{kind}s" if kind != "loss" else "ganzoo.losses" for kind in SPECS}
