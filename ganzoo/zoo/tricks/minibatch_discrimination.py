"""Minibatch discrimination (Salimans et al. 2016, section 3.2)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting, Trick
from ganzoo.zoo.heads import WithStatistic
from ganzoo.zoo.specs.tricks.diversity import MinibatchDiscriminationParams


class MinibatchDiscrimination(Trick[MinibatchDiscriminationParams]):
    """Shows the discriminator how close each sample is to the others of its batch, real and fake batches apart.

    The paper concatenates o(x) to the features f(x); here the logit gets a learned linear term of o(x), which for a
    linear head is the same. A collapsed batch is the one whose samples are all close.
    """

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Put the similarities beside the discriminator's own head."""
        closeness = Closeness(networks.features, self.params.kernels, self.params.dimensions)
        return replace(networks, head=WithStatistic(networks.head, closeness, self.params.kernels))


class Closeness(nn.Module):
    """o(x_i)_b = sum_j exp(-||M_i,b - M_j,b||_1), with M_i = f(x_i) T of B rows and C columns.

    Two things are the authors' code's rather than the paper's. The sum leaves out j = i, which is always 1: the head's
    bias has its place. And the first batch sets the scale of each kernel, so that its nearest neighbours are 2 apart on
    average: otherwise features of a small scale would all count as close, and move the logit by tens.
    """

    def __init__(self, features: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.shape = (kernels, dimensions)  # (B, C)
        self.T = nn.Linear(features, kernels * dimensions, bias=False)
        nn.init.normal_(self.T.weight, 0.0, features**-0.5)
        self.scale: Tensor
        self.register_buffer("scale", torch.zeros(kernels))  # 0 until it is set

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, A) to how close each is to all others, (N, B)."""
        M = self.T(features).unflatten(1, self.shape)  # noqa: N806  (N, A) -> (N, B, C)
        distance = (M[:, None] - M[None]).abs().sum(3)  # (N, 1, B, C) - (1, N, B, C) -> (N, N, B)
        self._set_scale(distance.detach())
        return (-distance * self.scale.clone()).exp().sum(1) - 1  # a later pass may write to the buffer

    def _set_scale(self, distance: Tensor) -> None:
        """Set the scale in the first pass, without asking the device whether it is the first."""
        itself = torch.eye(len(distance), dtype=torch.bool, device=distance.device).unsqueeze(2)
        nearest = distance.masked_fill(itself, torch.inf).amin(1).mean(0)  # (N, N, B) -> (N, B) -> (B,)
        self.scale.copy_(torch.where(self.scale == 0, 2 / (nearest + 1e-8), self.scale))
