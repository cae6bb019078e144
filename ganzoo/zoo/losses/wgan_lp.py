"""The Wasserstein loss with the one-sided Lipschitz penalty (Petzka et al. 2018)."""

from torch.nn.functional import relu

from ganzoo.api import Loss, Step, Terms
from ganzoo.zoo.penalties import between, gradients
from ganzoo.zoo.specs.losses import WGANLPParams


class WGANLP(Loss[WGANLPParams]):
    """WGAN-GP's game, but only gradients longer than 1 cost: the best critic's need not have norm 1 everywhere."""

    def discriminator(self, step: Step) -> Terms:
        """E[D(G(z))] - E[D(x)] + lambda E[max(0, ||grad D(x_hat)||_2 - 1)^2]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        penalty = relu(gradients(step, between(step)).norm(dim=1) - 1).square().mean()
        return {"wasserstein": fake.mean() - real.mean(), "penalty": self.params.penalty * penalty}

    def generator(self, step: Step) -> Terms:
        """-E[D(G(z))]."""
        return {"wasserstein": -step.judge(step.fake).logits.mean()}
