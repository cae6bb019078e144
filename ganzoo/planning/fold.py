"""Fold the recipes of a combination into one, and remember where each value came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ganzoo.api import Recipe
from ganzoo.planning.request import Layer

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
