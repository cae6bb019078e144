"""A gradient penalty for any loss (Gulrajani et al. 2017, equation 3)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from torch import Tensor
from torch.nn.functional import relu

from ganzoo.api import Step, Terms, Trick
from ganzoo.zoo.penalties import between, gradients
from ganzoo.zoo.specs.tricks.penalties import GradientPenaltyParams

POINTS: dict[str, Callable[[Step], Tensor]] = {
    "between": between,
    "real": attrgetter("real"),
    "fake": attrgetter("fake"),
}


class GradientPenalty(Trick[GradientPenaltyParams]):
    """Draws the norm of the critic's gradient to a target, or, one-sided, keeps it below (Petzka et al. 2018)."""

    def __init__(self, params: GradientPenaltyParams) -> None:
        super().__init__(params)
        self.differentiates = [batch for batch in ("real", "fake") if batch == params.points]

    def discriminator(self, step: Step) -> Terms:
        """Lambda E[(||grad D(x)||_2 - norm)^2], over points between real and fake, over real or over fake images."""
        x = POINTS[self.params.points](step)
        excess = gradients(step, x).norm(dim=1) - self.params.norm
        return {"penalty": self.params.weight * (relu(excess) if self.params.one_sided else excess).square().mean()}
