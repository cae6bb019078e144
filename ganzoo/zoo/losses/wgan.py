"""The Wasserstein loss with clipped weights (Arjovsky et al. 2017)."""

from ganzoo.api import Loss, Networks, Player, Step, Terms
from ganzoo.zoo.clipping import clip_weights
from ganzoo.zoo.specs.losses import WGANParams


class WGAN(Loss[WGANParams]):
    """Algorithm 1: the critic's mean difference; clipping after its every update keeps the critic Lipschitz."""

    def discriminator(self, step: Step) -> Terms:
        """E[f(G(z))] - E[f(x)], minus the estimate of the Wasserstein distance (equation 2)."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"wasserstein": fake.mean() - real.mean()}

    def generator(self, step: Step) -> Terms:
        """-E[f(G(z))]."""
        return {"wasserstein": -step.judge(step.fake).logits.mean()}

    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Clip: w <- clip(w, -c, c), line 7 of the algorithm."""
        if player == "discriminator":
            clip_weights(networks, self.params.clip)
