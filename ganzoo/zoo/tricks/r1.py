"""R1 regularisation (Mescheder et al. 2018)."""

from ganzoo.api import Step, Terms, Trick
from ganzoo.zoo.penalties import gradients
from ganzoo.zoo.specs.tricks.penalties import R1Params


class R1(Trick[R1Params]):
    """Flattens the discriminator on real images, so that it rests where the generator's images equal them."""

    differentiates = ("real",)

    def discriminator(self, step: Step) -> Terms:
        """gamma/2 E[||grad D(x)||^2] over reals (equation 9), in each k-th generator step with k times the weight.

        An interval k > 1 is the lazy regularisation of StyleGAN2 (Karras et al. 2020, section 3.1). Its change of
        Adam's rates has no place here: it makes up for updates of the penalty's own, and here the terms share one.
        """
        gamma, k = self.params.gamma, self.params.interval
        if step.number % k:
            return {}
        return {"penalty": k * gamma / 2 * gradients(step, step.real).square().sum(1).mean()}
