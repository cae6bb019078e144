"""The least squares loss (Mao et al. 2017)."""

from ganzoo.api import Loss, NoParams, Step, Terms


class LSGAN(Loss[NoParams]):
    """Equation 9, the 0-1 coding: fakes are labelled a = 0, real images b = 1, and the generator wants c = 1.

    The labels are the step's targets, so that tricks such as label smoothing can change them.
    """

    def discriminator(self, step: Step) -> Terms:
        """1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        b, a = step.targets
        return {"real": (real - b).square().mean() / 2, "fake": (fake - a).square().mean() / 2}

    def generator(self, step: Step) -> Terms:
        """1/2 E[(D(G(z)) - c)^2]."""
        fake = step.judge(step.fake).logits
        c = step.targets.real
        return {"fake": (fake - c).square().mean() / 2}
