"""Carry the same run out in two ways and compare: shared by the tests of modes on the CPU and on a GPU."""

from __future__ import annotations

import numpy as np
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import ganzoo
from ganzoo.api import Images
from ganzoo.registry.lookup import installed
from ganzoo.train import lanes
from ganzoo.train.execution import Execution
from ganzoo.train.trainer import PLAYERS, Trainer

CPU = torch.device("cpu")
COMPILED = Execution(channels_last=True, compiled=True)
JOINED = {"recipe": {"reuse_fakes": True, "joint_pass": True}}
STEPS = 20
BATCH = 16
LOSSES = [one.name for one in installed().of("loss") if one.distribution == "ganzoo-core"]
TRICKS = [one.name for one in installed().of("trick") if one.distribution == "ganzoo-core"]
STATEFUL = ["ema", "spectral-norm", "r1:interval=4", "diffaugment", "ada:images=2000"]
Losses = list[dict[str, float]]


def made(execution: Execution, device: torch.device, tell=print, **request) -> Trainer:
    """Return a trainer of a small run on random images, in PyTorch's default precision."""
    recipe = {"steps": 100, "batch_size": BATCH, **request.pop("recipe", {})}
    request = {"model": "dcgan:width=8", "loss": "bce", **request}
    (run,) = ganzoo.plan(dataset="cifar10", recipe=recipe, **request).runs
    pixels = np.random.default_rng(0).integers(0, 256, (160, 3, 32, 32), dtype=np.uint8)
    if torch.get_default_dtype() == torch.float64:
        pixels = pixels / 127.5 - 1
    return Trainer(run, Images(pixels, np.arange(160) % 10), device, 1, execution, tell)


def trained(one: Trainer, steps: int = STEPS) -> Losses:
    """Train, and return every term of every step."""
    found: Losses = []
    for _ in range(steps):
        one.step()
        readings = {player: record.read() for player, record in one.records.items()}
        assert all(reading.bad is None for reading in readings.values())
        found.append({f"{player} {k}": v for player, reading in readings.items() for k, v in reading.means.items()})
    return found


def difference(one: Losses, two: Losses) -> float:
    """Return the largest difference of two courses, relative to a term where that is greater than 1."""
    assert [step.keys() for step in one] == [step.keys() for step in two]
    pairs = [(a[key], b[key]) for a, b in zip(one, two, strict=True) for key in a]
    return max(abs(a - b) / max(1.0, abs(a)) for a, b in pairs)


def apart(one: Trainer, two: Trainer) -> float:
    """Return how far the networks' weights and buffers are apart at most."""
    pairs = [zip(*(run.modules[player].state_dict().values() for run in (one, two)), strict=True) for player in PLAYERS]
    return max((a - b).abs().max().item() for both in pairs for a, b in both)


def agree(function, *inputs) -> list[str]:
    """Compare a function and its gradients with what they are carried out by on a GPU; return the operators of that."""
    from torch._inductor.decomposition import select_decomp_table

    def both(*inputs):
        y = function(*inputs)
        return y, *torch.autograd.grad((y * y.detach().cos()).sum(), inputs)

    inputs = tuple(one.requires_grad_() for one in inputs)
    graph = make_fx(both, decomposition_table=lanes.replaced(select_decomp_table()))(*inputs)
    for wanted, found in zip(both(*inputs), graph(*inputs), strict=True):
        assert torch.allclose(found, wanted, rtol=0, atol=1e-12)
    return [str(node.target) for node in graph.graph.nodes]
