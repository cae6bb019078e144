"""What the tricks on the discriminator's targets and answers declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class LabelSmoothingParams:
    """Salimans et al. 2016, section 3.4: only the real targets are smoothed."""

    real: float = param(0.9, "target of real images", low=0, high=1)
    fake: float = param(0.0, "target of generated images; above 0 the smoothing is two-sided", low=0, high=1)


@dataclass(frozen=True)
class LabelFlippingParams:
    """The source says "occasionally" and gives no number."""

    share: float = param(0.05, "share of the targets that are flipped", low=0, high=1)


@dataclass(frozen=True)
class TopKParams:
    """Sinha et al. 2020 anneal by 0.99 an epoch, to shares from 0.5 to 0.75; this epoch is CIFAR-10's."""

    nu: float = param(0.5, "least share of the batch that the generator learns from", low=0, high=1)
    gamma: float = param(0.99, "factor that k falls by each epoch", low=0, high=1)
    epoch: int = param(50_000, "length of an epoch", unit="real images seen", low=1)


_SALIMANS = Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498")

LABEL_SMOOTHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.label_smoothing:LabelSmoothing",
    summary="real targets of 0.9 keep the discriminator from growing too sure",
    paper=_SALIMANS,
    params=LabelSmoothingParams,
    requires={"targets": "it moves the targets of the discriminator, and this loss has none"},
)

LABEL_FLIPPING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.label_flipping:LabelFlipping",
    summary="now and then the discriminator is told the opposite of the truth",
    paper=Paper("How to Train a GAN? Tips and tricks to make GANs work", 2016, "github.com/soumith/ganhacks"),
    params=LabelFlippingParams,
    requires={"targets": "it flips the targets of the discriminator, and this loss has none"},
)

TOP_K = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.top_k:TopK",
    summary="the generator learns only from those of its images that look most real",
    paper=Paper(
        "Top-k Training of GANs: Improving GAN Performance by Throwing Away Bad Samples", 2020, "arXiv:2002.06224"
    ),
    params=TopKParams,
    conflicts={"paired": "it drops generated images from the batch, and each real one needs its partner"},
)
