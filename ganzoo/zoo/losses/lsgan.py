"""The least squares loss (Mao et al. 2017)."""

from ganzoo.api import Loss, NoParams, Step, Terms


class LSGAN(Loss[NoParams]):
    """Equation 9, the 0-1 coding: fakes are labelled a = 0, real images b = 1, and the generator wants c = 1.

    Logits are compared with the labels as they are: a sigmoid would bring back the gradients that vanish.
    """

    def discriminator(self, step: Step) -> Terms:
        """1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]; tricks may move b and a, the step's targets."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        b, a = step.targets
        return {"real": (real - b).square().mean() / 2, "fake": (fake - a).square().mean() / 2}

    def generator(self, step: Step) -> Terms:
        """1/2 E[(D(G(z)) - c)^2] with c = 1, over as many images as the tricks have left."""
        fake = step.judge(step.fake).logits
        return {"fake": (fake - 1).square().mean() / 2}
