"""Check of what a trick's hooks give back."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ganzoo.api import Trick
from ganzoo.testing.check import Check, check, require
from ganzoo.testing.playing import component, scene
from ganzoo.testing.rehearsal import BATCH
from ganzoo.testing.state import finite
from ganzoo.testing.subject import Subject


@check(
    "shapes", ("trick",), "contract", fix="return tensors of the shapes that the hook's docstring in ganzoo.api gives"
)
def _hooks_keep_shapes(subject: Subject) -> None:
    """What one hook returns the next is given: latents, images and targets keep their shapes and kinds."""
    made = scene(subject)
    trick, rng = cast("Trick", component(made, subject)), torch.Generator().manual_seed(0)
    z = torch.randn(BATCH, made.game.networks.latent, generator=rng)
    images = torch.rand(BATCH, *made.run.shape, generator=rng) * 2 - 1
    for hook, source in (("latent", z), ("real", images), ("augment", images)):
        given = source.clone()
        found = getattr(trick, hook)(given, rng)
        require(isinstance(found, Tensor), f"{hook} gives {type(found).__name__}, not a tensor")
        require(found.shape == given.shape, f"{hook} gives shape {tuple(found.shape)} for {tuple(given.shape)}")
        require(found.dtype == given.dtype, f"{hook} gives {found.dtype} for {given.dtype}")
        finite({f"what {hook} gives": found})
    step = made.step("discriminator")
    logits = made.game.judge(step.real, step).logits
    answers = BATCH // made.game.setting.packing
    require(
        logits.shape == (answers,), f"the discriminator's logits have shape {tuple(logits.shape)}, not ({answers},)"
    )
    for player, target in zip(("real", "fake"), trick.targets(step.targets, step), strict=True):
        require(target.shape == (answers,), f"targets of {player} have shape {tuple(target.shape)}, not ({answers},)")
        require(bool(((target >= 0) & (target <= 1)).all()), f"targets of {player} are no probabilities")
    drawn = made.game.sampler()(step.latent, step.labels if made.game.setting.classes else None)
    require(drawn.shape == (BATCH, *made.run.shape), f"the sampler draws shape {tuple(drawn.shape)}")


CHECKS: tuple[Check, ...] = (_hooks_keep_shapes,)
