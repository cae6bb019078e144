"""The Wasserstein loss with gradient penalty (Gulrajani et al. 2017)."""

from ganzoo.api import Loss, Step, Terms
from ganzoo.zoo.penalties import between, gradients
from ganzoo.zoo.specs.losses import WGANGPParams


class WGANGP(Loss[WGANGPParams]):
    """Algorithm 1: the critic's mean difference, and lambda times how far its gradient is from norm 1."""

    def discriminator(self, step: Step) -> Terms:
        """E[D(G(z))] - E[D(x)] + lambda E[(||grad D(x_hat)||_2 - 1)^2] (equation 3)."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        penalty = (gradients(step, between(step)).norm(dim=1) - 1).square().mean()
        return {"wasserstein": fake.mean() - real.mean(), "penalty": self.params.penalty * penalty}

    def generator(self, step: Step) -> Terms:
        """-E[D(G(z))]."""
        return {"wasserstein": -step.judge(step.fake).logits.mean()}
