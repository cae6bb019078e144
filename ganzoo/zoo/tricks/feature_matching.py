"""Feature matching (Salimans et al. 2016, section 3.1)."""

from ganzoo.api import Step, Terms, Trick
from ganzoo.zoo.specs.tricks.diversity import FeatureMatchingParams


class FeatureMatching(Trick[FeatureMatchingParams]):
    """The generator makes its images' mean features equal the real ones', which the discriminator learns to tell."""

    def __init__(self, params: FeatureMatchingParams) -> None:
        super().__init__(params)
        self.replaces = ("generator",) if params.replace else ()  # the paper's generator has this objective alone

    def generator(self, step: Step) -> Terms:
        """|| E[f(x)] - E[f(G(z))] ||^2, f being the features before the discriminator's head."""
        real = step.judge(step.real).features.mean(0).detach()
        fake = step.judge(step.fake).features.mean(0)
        return {"distance": self.params.weight * (real - fake).square().sum()}
