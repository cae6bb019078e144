"""Binary cross-entropy: the original game (Goodfellow et al. 2014)."""

from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from ganzoo.api import Loss, Step, Terms
from ganzoo.zoo.specs.losses import BCEParams


class BCE(Loss[BCEParams]):
    """Equation 1, with the generator of section 3: it maximises log D(G(z)) unless `saturating`."""

    def discriminator(self, step: Step) -> Terms:
        """Tell real (target 1) from fake (target 0)."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"real": bce(real, step.targets.real), "fake": bce(fake, step.targets.fake)}

    def generator(self, step: Step) -> Terms:
        """Minimise -log D(G(z)), or log(1 - D(G(z))) in the saturating game."""
        logits = step.judge(step.fake).logits
        return {"fake": (-softplus(logits) if self.params.saturating else softplus(-logits)).mean()}
