"""Latents of a mixture of Gaussians: static GM-GAN (Ben-Yosef & Weinshall 2018)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ganzoo.api import Networks, Setting, Trick
from ganzoo.zoo.specs.tricks.latents import MixtureLatentParams


class MixtureLatent(Trick[MixtureLatentParams]):
    """Draws z ~ N(mu_k, sd^2 I), with k uniform over K means that never change: the modes start apart."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Draw mu ~ U[-c, c]^d from the seed of the weights; the generator keeps them, so they are saved with it."""
        mu = torch.empty(self.params.components, networks.latent).uniform_(-self.params.c, self.params.c)
        self.keeper = networks.generator
        self.keeper.register_buffer("mixture_means", mu)
        return networks

    def latent(self, z: Tensor, rng: Generator) -> Tensor:
        """Turn standard normal latents (N, latent) into the mixture's."""
        mu = self.keeper.get_buffer("mixture_means")
        k = torch.randint(len(mu), (len(z),), generator=rng, device=rng.device)
        return mu[k] + self.params.sd * z
