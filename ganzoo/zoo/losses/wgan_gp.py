"""The Wasserstein loss with gradient penalty (Gulrajani et al. 2017)."""

import torch
from torch import Tensor

from ganzoo.api import Loss, Step, Terms
from ganzoo.zoo.specs.losses import WGANGPParams


class WGANGP(Loss[WGANGPParams]):
    """Algorithm 1: the critic's mean difference, and lambda times how far its gradient is from norm 1."""

    def discriminator(self, step: Step) -> Terms:
        """E[D(G(z))] - E[D(x)] + lambda E[(||grad D(x_hat)|| - 1)^2] (equation 3)."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"wasserstein": fake.mean() - real.mean(), "penalty": self.params.penalty * gradient_penalty(step)}

    def generator(self, step: Step) -> Terms:
        """-E[D(G(z))]."""
        return {"wasserstein": -step.judge(step.fake).logits.mean()}


def gradient_penalty(step: Step) -> Tensor:
    """Return E[(||grad D(x_hat)||_2 - 1)^2] with x_hat uniform on the lines between real and fake images.

    The norm runs over all that the critic judges together: an image, or several where they are packed.
    """
    real, fake = step.real, step.fake
    epsilon = torch.rand(len(real), 1, 1, 1, generator=step.rng, device=real.device)
    x_hat = torch.lerp(fake, real, epsilon).requires_grad_()
    logits = step.judge(x_hat).logits
    (gradient,) = torch.autograd.grad(logits.sum(), x_hat, create_graph=True)
    return (gradient.reshape(len(logits), -1).norm(dim=1) - 1).square().mean()
