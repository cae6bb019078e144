"""Latents of a truncated normal distribution (Brock et al. 2019, section 3.1)."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from ganzoo.api import Trick
from ganzoo.zoo.specs.tricks.latents import TruncatedLatentParams


class TruncatedLatent(Trick[TruncatedLatentParams]):
    """Draws latents from a standard normal distribution without its tails, in training and for samples alike.

    The paper truncates samples of a model that was trained on the whole distribution. The protocol scores a model as it
    was trained, so here the truncated distribution is the model's own. The paper draws values beyond the threshold
    anew; the inverse of the cumulative distribution function gives the same distribution in one draw of fixed length.
    """

    def latent(self, z: Tensor, rng: Generator) -> Tensor:
        """Draw z ~ N(0, 1) given |z| <= threshold, of the same shape."""
        threshold = self.params.threshold
        within = math.erf(threshold / math.sqrt(2))  # the normal distribution's mass up to the threshold
        z = torch.empty_like(z).uniform_(-within, within, generator=rng).erfinv().mul(math.sqrt(2))
        return z.clamp(-threshold, threshold)  # rounding may lead past it, and to infinity where all mass is within
