"""The relativistic pairing loss, RSGAN (Jolicoeur-Martineau 2019); with R1 and R2, R3GAN's (Huang et al. 2024)."""

from torch.nn.functional import softplus

from ganzoo.api import Loss, NoParams, Step, Terms


class RpGAN(Loss[NoParams]):
    """Algorithm 1 with the standard GAN's loss: D says whether a real image is more real than its paired fake.

    softplus(-t) is -log sigmoid(t).
    """

    def discriminator(self, step: Step) -> Terms:
        """-E[log sigmoid(C(x_r) - C(x_f))]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"pairs": softplus(-(real - fake)).mean()}

    def generator(self, step: Step) -> Terms:
        """-E[log sigmoid(C(x_f) - C(x_r))]."""
        real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
        return {"pairs": softplus(-(fake - real)).mean()}
