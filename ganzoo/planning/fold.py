"""Fold the recipes of a combination into one, and remember where each value came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ganzoo.api import Recipe
from ganzoo.planning.request import Layer
from ganzoo.registry.compatibility import Chosen

COUPLES = "couples-samples"
"""The trait of what must not see real and generated images in one pass."""

BASE = Recipe(
    steps=10_000,
    batch_size=64,
    n_critic=1,
    optimizer="adam",
    generator_lr=2e-4,  # DCGAN's settings (Radford et al. 2016, section 4), the usual start of a GAN
    discriminator_lr=2e-4,
    beta1=0.5,
    beta2=0.999,
    lr_schedule="constant",
    ema_half_life=0.0,
    reuse_fakes=False,
    joint_pass=False,
)


def fold(layers: Iterable[Layer]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the folded values and the source of each; a later layer's opinion replaces an earlier one's."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in (Layer("ganzoo", BASE), *layers):
        for field in dataclasses.fields(Recipe):
            value = getattr(layer.recipe, field.name)
            if value is not None:
                values[field.name] = value
                sources[field.name] = layer.source
    return values, sources


def separate(recipe: dict[str, Any], sources: dict[str, str], chosen: Sequence[Chosen]) -> list[str]:
    """Take a joint pass of real and generated images back where that would be another algorithm; say why."""
    coupling = [one.name for one in chosen if COUPLES in one.provides]
    if not recipe["joint_pass"] or not coupling:
        return []
    reasons = [f"{name}: it compares the images of a pass, which would be real and generated ones" for name in coupling]
    recipe["joint_pass"], sources["joint_pass"] = False, "ganzoo"
    return [f"joint pass = no ({'; '.join(reasons)})"]
