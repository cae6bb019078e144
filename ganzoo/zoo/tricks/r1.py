"""R1 regularisation (Mescheder et al. 2018)."""

from ganzoo.api import Step, Terms
from ganzoo.zoo.penalties import Lazy, gradients
from ganzoo.zoo.specs.tricks.penalties import R1Params


class R1(Lazy[R1Params]):
    """Flattens the discriminator on real images, so that it rests where the generator's images equal them."""

    differentiates = ("real",)

    def discriminator(self, step: Step) -> Terms:
        """gamma/2 E[||grad D(x)||^2] over reals (equation 9), in each k-th generator step with k times the weight."""
        if not self.due:
            return {}
        gamma, k = self.params.gamma, self.params.interval
        return {"penalty": k * gamma / 2 * gradients(step, step.real).square().sum(1).mean()}
