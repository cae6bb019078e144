"""Label flipping (Chintala, Denton, Arjovsky & Mathieu 2016, "How to Train a GAN?", tip 6)."""

import torch

from ganzoo.api import Step, Targets, Trick
from ganzoo.zoo.specs.tricks.targets import LabelFlippingParams


class LabelFlipping(Trick[LabelFlippingParams]):
    """Now and then a real image gets a fake one's target, and a fake image a real one's.

    It exchanges targets instead of writing 0 and 1, so that label smoothing before it or after it comes to the same.
    """

    def targets(self, targets: Targets, step: Step) -> Targets:
        """Exchange the targets (N / packing,) of a share of each batch, drawn for each on its own."""
        real, fake = targets
        flipped = torch.rand(2, len(real), generator=step.rng, device=real.device) < self.params.share
        return Targets(real=torch.where(flipped[0], fake, real), fake=torch.where(flipped[1], real, fake))
