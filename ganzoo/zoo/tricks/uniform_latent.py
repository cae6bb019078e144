"""Uniform latents (Radford et al. 2016, figure 1)."""

import torch
from torch import Generator, Tensor

from ganzoo.api import NoParams, Trick


class UniformLatent(Trick[NoParams]):
    """Replaces normal latents with uniform ones."""

    def latent(self, z: Tensor, rng: Generator) -> Tensor:
        """Draw z ~ U[-1, 1], of the same shape."""
        return torch.empty_like(z).uniform_(-1, 1, generator=rng)
