"""What the tests of components share: building them, and steps to try them on."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

import ganzoo
from ganzoo.api import Images, Networks, Player, Setting, Verdict
from ganzoo.params import build
from ganzoo.registry.lookup import build_target, installed
from ganzoo.train.step import Batch, PlayerStep
from ganzoo.train.trainer import Trainer


def component(kind: str, name: str, **values):
    """Build a loss or trick from its parameters."""
    found = installed().get(kind, name)
    return build_target(found)(build(found.usable_spec.params, values, name))


def networks(name: str, setting: Setting, **values) -> Networks:
    """Build an architecture's networks from seed 0."""
    found = installed().get("architecture", name)
    torch.manual_seed(0)
    return build_target(found)(build(found.usable_spec.params, values, name), setting)


def step_on(
    critic: nn.Module, real: torch.Tensor, fake: torch.Tensor, player: Player = "discriminator", number: int = 0
) -> PlayerStep:
    """A step whose discriminator is any module from images to (N,) logits; its features are the images."""

    def judge(images, step):
        return Verdict(critic(images), images.flatten(1))

    rng = torch.Generator().manual_seed(0)
    return PlayerStep(player, number, Batch(real, fake, fake.flatten(1), None), rng, judge)


def trainer(model="mlp", loss="bce", **request) -> Trainer:
    """A trainer of the digits' shape, on 64 random images."""
    run = ganzoo.plan(model=model, loss=loss, **request).runs[0]
    pixels = np.random.default_rng(0).integers(0, 256, (64, *run.shape), dtype=np.uint8)
    return Trainer(run, Images(pixels, np.arange(64) % 10), torch.device("cpu"), log_every=10)


def play(one: Trainer, player: Player) -> None:
    """Carry out one player's step."""
    step = one._generator_step if player == "generator" else one._discriminator_step
    step(0, one._draw(learning=player == "generator"))


def fresh_step(one: Trainer, player: Player = "generator") -> PlayerStep:
    """A step on the next batch; images that the generator draws for its own step are attached to it."""
    drawn = one._draw(learning=player == "generator")
    batch = Batch(one._real(drawn.chosen), drawn.fake, drawn.latent, drawn.labels)
    return one._player_step(player, one.number, batch)


class Linear(nn.Module):
    """D(x) = a . x, whose gradient is a everywhere."""

    def __init__(self, norm: float, width: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.full((width,), norm / math.sqrt(width)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.a
