"""The auxiliary classifier (Odena et al. 2017, AC-GAN)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganzoo.api import Networks, Player, Setting, Step, Terms, Trick
from ganzoo.zoo.specs.tricks.conditioning import AuxiliaryClassifierParams


class AuxiliaryClassifier(Trick[AuxiliaryClassifierParams]):
    """The discriminator also tells the class of an image, and the generator draws images whose class it can tell.

    L_C = E[log P(C = c | X_real)] + E[log P(C = c | X_fake)] (equation 3): the discriminator maximises L_S + L_C and
    the generator L_C - L_S, of which the fake images' term alone is the generator's to change.
    """

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Add one linear layer on the features, as the paper's discriminator has beside its own logit."""
        self.classifier = nn.Linear(networks.features, setting.classes)
        return {"discriminator": self.classifier}

    def discriminator(self, step: Step) -> Terms:
        """Learn the classes of real and of fake images."""
        weight = self.params.discriminator
        return {"real": weight * self._loss(step, step.real), "fake": weight * self._loss(step, step.fake)}

    def generator(self, step: Step) -> Terms:
        """Be told apart by class."""
        return {"fake": self.params.generator * self._loss(step, step.fake)}

    def _loss(self, step: Step, images: Tensor) -> Tensor:
        """Return -E[log P(C = c | X)]."""
        assert step.labels is not None  # the spec requires labels
        return cross_entropy(self.classifier(step.judge(images).features), step.labels)
