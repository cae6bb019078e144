"""R1 and R2 with a weight that changes as training goes on (Huang et al. 2024; Mescheder et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.api import Progress, Rates, Step, Terms, Trick
from ganzoo_r3gan.cosine import cosine
from ganzoo_r3gan.spec import PenaltyParams


class Penalty(Trick[PenaltyParams]):
    """Keeps the discriminator flat on real images (R1) and on generated ones (R2), in every step and with one weight.

    The weight is a function of the progress, which is told before each step: there is no state to keep.
    """

    differentiates = ("real", "fake")

    def __init__(self, params: PenaltyParams) -> None:
        super().__init__(params)
        self.gamma = torch.tensor(params.gamma)  # a tensor, so that a captured graph sees it change

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Set gamma for the step that comes next."""
        params = self.params
        self.gamma.fill_(cosine(params.gamma, params.final_gamma, progress.images, params.length))
        return rates

    def discriminator(self, step: Step) -> Terms:
        """gamma/2 E[||grad D(x)||^2] over real images, and the same over generated ones."""
        self.gamma = self.gamma.to(step.real.device)
        return {"r1": self.gamma / 2 * steepness(step, step.real), "r2": self.gamma / 2 * steepness(step, step.fake)}


def steepness(step: Step, images: Tensor) -> Tensor:
    """Return E[||grad D(x)||^2] over images (N, C, H, W); those that are judged together are one x."""
    logits = step.judge(images).logits
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum() / len(logits)
