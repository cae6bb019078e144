"""Label smoothing (Salimans et al. 2016, section 3.4)."""

from ganzoo.api import Step, Targets, Trick
from ganzoo.zoo.specs.tricks.targets import LabelSmoothingParams


class LabelSmoothing(Trick[LabelSmoothingParams]):
    """Maps target 1 to `real` and target 0 to `fake`, so that it composes with tricks that flip targets."""

    def targets(self, targets: Targets, step: Step) -> Targets:
        """Move both targets of the discriminator."""
        low, high = self.params.fake, self.params.real
        return Targets(real=low + targets.real * (high - low), fake=low + targets.fake * (high - low))
