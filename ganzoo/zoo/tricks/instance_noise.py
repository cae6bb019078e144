"""Instance noise (Sonderby et al. 2017; Arjovsky & Bottou 2017, section 3)."""

import torch
from torch import Generator, Tensor

from ganzoo.api import Progress, Rates, Trick
from ganzoo.zoo.specs.tricks.augmentation import InstanceNoiseParams


class InstanceNoise(Trick[InstanceNoiseParams]):
    """Adds N(0, sd^2) to real and generated images alike, with sd falling linearly to 0.

    The discriminator then compares two densities that overlap everywhere. The noise is a function of the step, so a
    resumed run needs no state of it.
    """

    def __init__(self, params: InstanceNoiseParams) -> None:
        super().__init__(params)
        self.sd = torch.tensor(params.sd)  # a tensor, so that a captured step sees it change

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Set the noise of the step that comes next."""
        if self.params.anneal:
            left = 1 - progress.step / (self.params.anneal * progress.steps)
            self.sd.fill_(self.params.sd * max(left, 0.0))
        return rates

    def augment(self, images: Tensor, rng: Generator) -> Tensor:
        """Add noise to images (N, C, H, W)."""
        self.sd = self.sd.to(images.device)
        return images + self.sd * torch.randn(images.shape, generator=rng, device=images.device)
