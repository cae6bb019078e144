"""Consistency regularisation: CR-GAN (Zhang et al. 2020) and its balanced form bCR (Zhao et al. 2021)."""

from torch import Tensor

from ganzoo.api import Step, Terms, Trick
from ganzoo.zoo.specs.tricks.augmentation import ConsistencyParams
from ganzoo.zoo.transforms import flip, shift


class Consistency(Trick[ConsistencyParams]):
    """L_D + lambda_real ||D(x) - D(T(x))||^2 + lambda_fake ||D(G(z)) - D(T(G(z)))||^2 (algorithm 1 of bCR).

    T mirrors and shifts, drawn for each image. Other tricks' augmentations lie behind it: D judges x and T(x) each with
    its own draw of them. Where images are judged together, each is transformed on its own.
    """

    def discriminator(self, step: Step) -> Terms:
        """Return a term for each batch whose weight is not 0, which saves a pass through the discriminator."""
        weighted = {"real": (self.params.real, step.real), "fake": (self.params.fake, step.fake)}
        return {name: weight * self._distance(step, images) for name, (weight, images) in weighted.items() if weight}

    def _distance(self, step: Step, images: Tensor) -> Tensor:
        """Return E[(D(x) - D(T(x)))^2]."""
        limit = self.params.shift
        transformed = shift(flip(images.detach(), step.rng), limit, limit, step.rng, reflect=True)
        return (step.judge(images).logits - step.judge(transformed).logits).square().mean()
