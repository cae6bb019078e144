"""The relativistic average loss, RaSGAN (Jolicoeur-Martineau 2019)."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from ganzoo.api import Loss, NoParams, Step, Terms


class RaGAN(Loss[NoParams]):
    """Algorithm 2 with the standard GAN's loss: D says whether an image is more real than the average of the others.

    D(x_r) = sigmoid(C(x_r) - E[C(x_f)]) and D(x_f) = sigmoid(C(x_f) - E[C(x_r)]).
    """

    def discriminator(self, step: Step) -> Terms:
        """-E[log D(x_r)] - E[log(1 - D(x_f))]; tricks may move the targets 1 and 0."""
        real, fake = relativistic(step)
        return {"real": bce(real, step.targets.real), "fake": bce(fake, step.targets.fake)}

    def generator(self, step: Step) -> Terms:
        """-E[log D(x_f)] - E[log(1 - D(x_r))], the non-saturating game: both expectations lead to the generator.

        softplus(-t) is -log sigmoid(t). The batches may differ in size, where a trick has left out fake images.
        """
        real, fake = relativistic(step)
        return {"real": softplus(real).mean(), "fake": softplus(-fake).mean()}


def relativistic(step: Step) -> tuple[Tensor, Tensor]:
    """Return the logits of D for real and for fake images."""
    real, fake = step.judge(step.real).logits, step.judge(step.fake).logits
    return real - fake.mean(), fake - real.mean()
