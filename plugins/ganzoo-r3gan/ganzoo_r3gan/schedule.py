"""R3GAN's schedules of learning rates, beta2 and the average's half-life (Huang et al. 2024)."""

from __future__ import annotations

from ganzoo.api import Progress, Rates, Trick
from ganzoo_r3gan.cosine import cosine
from ganzoo_r3gan.spec import ScheduleParams


class Schedule(Trick[ScheduleParams]):
    """Moves from fast to careful: smaller steps, longer memories."""

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Take the recipe's learning rates and beta2 towards their ends, and the half-life up to the recipe's."""
        params = self.params

        def towards(start: float, end: float) -> float:
            return cosine(start, end, progress.images, params.length)

        return rates._replace(
            generator_lr=towards(rates.generator_lr, params.final_lr),
            discriminator_lr=towards(rates.discriminator_lr, params.final_lr),
            beta2=towards(rates.beta2, params.final_beta2),
            ema_half_life=towards(params.first_half_life, rates.ema_half_life),
        )
