"""Minibatch standard deviation (Karras et al. 2018, section 3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Setting, Trick
from ganzoo.zoo.heads import WithStatistic
from ganzoo.zoo.specs.tricks.diversity import MinibatchStddevParams


class MinibatchStddev(Trick[MinibatchStddevParams]):
    """Shows the discriminator how much the samples of a group differ, as one number per group.

    The paper inserts that number as a constant feature map before the discriminator's last convolution, so that two
    layers can act on it. Here it stands at the seam, after the body, and the logit gets a learned linear term of it.
    """

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Put the deviation beside the discriminator's own head."""
        return replace(networks, head=WithStatistic(networks.head, Deviation(self.params.group), 1))


class Deviation(nn.Module):
    """The standard deviation of each feature over a group, averaged over the features."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, A) to (N, 1): one value for all of a group."""
        groups = features.unflatten(0, (group_size(len(features), self.group), -1))  # (N, A) -> (G, M, A)
        variance = groups.var(0, correction=0)  # (G, M, A) -> (M, A)
        y = torch.sqrt(variance + 1e-8).mean(1)  # the authors' epsilon: the root has no slope at 0
        return y.repeat(len(groups)).unsqueeze(1)  # (M,) -> (N, 1)


def group_size(count: int, group: int) -> int:
    """Return the least size from `group` on that divides `count`: all of a smaller batch, 5 of 10 where 4 are asked."""
    return next(size for size in range(min(group, count), count + 1) if count % size == 0)
