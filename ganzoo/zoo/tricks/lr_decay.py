"""Learning rates that fall as the run goes on (Gulrajani et al. 2017 and Miyato et al. 2018, for their ResNets)."""

from __future__ import annotations

import math

from ganzoo.api import Progress, Rates, Trick
from ganzoo.zoo.specs.tricks.schedules import LRDecayParams


class LRDecay(Trick[LRDecayParams]):
    """Multiplies both players' learning rates by a factor that is a function of the step: there is no state to keep."""

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Take the rates from all to a final share, on a line or half a cosine, from a start to the end of the run."""
        begin = self.params.start * progress.steps
        if progress.step <= begin:
            return rates
        done = (progress.step - begin) / (progress.steps - begin)
        left = 1 - done if self.params.shape == "linear" else (1 + math.cos(math.pi * done)) / 2
        factor = self.params.final + (1 - self.params.final) * left
        return rates._replace(
            generator_lr=rates.generator_lr * factor, discriminator_lr=rates.discriminator_lr * factor
        )
