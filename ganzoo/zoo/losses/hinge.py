"""The hinge loss (Lim & Ye 2017; Miyato et al. 2018, equations 16 and 17)."""

from torch.nn.functional import relu

from ganzoo.api import Loss, NoParams, Step, Terms


class Hinge(Loss[NoParams]):
    """The discriminator pushes real logits above 1 and fake ones below -1, and no further."""

    def discriminator(self, step: Step) -> Terms:
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"real": relu(1 - real).mean(), "fake": relu(1 + fake).mean()}

    def generator(self, step: Step) -> Terms:
        """-E[D(G(z))]."""
        return {"fake": -step.judge(step.fake).logits.mean()}
