"""R2 regularisation (Mescheder et al. 2018)."""

from ganzoo.api import Step, Terms
from ganzoo.zoo.penalties import Lazy, gradients
from ganzoo.zoo.specs.tricks.penalties import R2Params


class R2(Lazy[R2Params]):
    """Flattens the discriminator on generated images; R1's counterpart."""

    differentiates = ("fake",)

    def discriminator(self, step: Step) -> Terms:
        """gamma/2 E[||grad D(x)||^2] over fakes (equation 10), in each k-th generator step with k times the weight."""
        if not self.due:
            return {}
        gamma, k = self.params.gamma, self.params.interval
        return {"penalty": k * gamma / 2 * gradients(step, step.fake).square().sum(1).mean()}
