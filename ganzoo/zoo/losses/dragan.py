"""DRAGAN: the original game with a gradient penalty around real images (Kodali et al. 2017)."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from ganzoo.api import Loss, Step, Terms
from ganzoo.zoo.penalties import gradients, places
from ganzoo.zoo.specs.losses import DRAGANParams


class DRAGAN(Loss[DRAGANParams]):
    """The non-saturating game of Goodfellow et al. 2014, and a penalty on sharp gradients of D near real images."""

    def discriminator(self, step: Step) -> Terms:
        """Tell real from fake, and add lambda E[(||grad D(x + delta)||_2 - k)^2], with the gradient of the logits."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        lambda_, k = self.params.penalty, self.params.k
        penalty = (gradients(step, self.near(step)).norm(dim=1) - k).square().mean()
        return {
            "real": bce(real, step.targets.real),
            "fake": bce(fake, step.targets.fake),
            "penalty": lambda_ * penalty,
        }

    def generator(self, step: Step) -> Terms:
        """-E[log D(G(z))]."""
        return {"fake": softplus(-step.judge(step.fake).logits).mean()}

    def near(self, step: Step) -> Tensor:
        """Return x + delta with delta = alpha c std(x) u: u uniform in [-1, 1] a pixel, alpha in [0, 1] an answer.

        The authors' release draws u from [0, 1], which only ever brightens images; the noise of their formula is
        symmetric, so this is, too.
        """
        x, c = step.real, self.params.noise
        u = 2 * torch.rand(x.shape, generator=step.rng, device=x.device) - 1  # by shape: memory formats are no matter
        return (x + places(step) * c * x.std(correction=0) * u).requires_grad_()
