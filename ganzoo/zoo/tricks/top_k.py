"""Top-k training (Sinha, Zhao, Goyal, Raffel & Odena 2020)."""

from torch import Tensor

from ganzoo.api import Progress, Rates, Step, Trick, Verdict
from ganzoo.zoo.specs.tricks.targets import TopKParams


class TopK(Trick[TopKParams]):
    """The generator learns from the k of its images that the discriminator takes most for real.

    k falls from the whole batch to a share nu of it, by the factor gamma each epoch. The features stay
    those of the whole batch, so that other tricks find each image's own beside its label and latent.
    """

    def __init__(self, params: TopKParams) -> None:
        super().__init__(params)
        self.share = 1.0
        """Of the batch that is learnt from; a function of the step, so a resumed run needs no state of it."""

    def schedule(self, rates: Rates, progress: Progress) -> Rates:
        """Set k of the step that comes next."""
        epochs = progress.images // self.params.epoch
        self.share = max(self.params.gamma**epochs, self.params.nu)
        return rates

    def verdict(self, verdict: Verdict, images: Tensor, step: Step) -> Verdict:
        """Keep the k highest logits of the generated images, in the generator's step."""
        if step.player == "discriminator" or images is not step.fake:
            return verdict
        k = max(int(self.share * len(verdict.logits)), 1)
        return verdict._replace(logits=verdict.logits.topk(k).values)
