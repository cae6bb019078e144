"""What the tricks that keep the critic's slope in bounds declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param
from ganzoo.zoo.specs.losses import PENALTY, PER_SAMPLE


@dataclass(frozen=True)
class GradientPenaltyParams:
    """Gulrajani et al. 2017, algorithm 1 and section 4."""

    weight: float = param(10.0, "weight lambda of the penalty", low=0)
    norm: float = param(1.0, "gradient norm that costs nothing", low=0)
    one_sided: bool = param(False, "let smaller norms cost nothing either, as WGAN-LP does")
    points: str = param("between", "images that the gradient is taken at", choices=("between", "real", "fake"))


_INTERVAL = "lazy: add the penalty in each interval-th generator step, that many times as strong"


@dataclass(frozen=True)
class R1Params:
    """Mescheder et al. 2018, experiments on images. Their release sets 10 without the 1/2: twice this penalty."""

    gamma: float = param(10.0, "weight of half the squared gradient norm", low=0)
    interval: int = param(1, _INTERVAL, low=1)  # StyleGAN2 takes 16


@dataclass(frozen=True)
class R2Params:
    """R1's values; Mescheder et al. 2018 name no others."""

    gamma: float = param(10.0, "weight of half the squared gradient norm", low=0)
    interval: int = param(1, _INTERVAL, low=1)


@dataclass(frozen=True)
class WeightClippingParams:
    """Arjovsky et al. 2017, algorithm 1."""

    clip: float = param(0.01, "bound c of every weight of the critic", low=0)


_MESCHEDER = Paper("Which Training Methods for GANs do actually Converge?", 2018, "arXiv:1801.04406")

GRADIENT_PENALTY = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.gradient_penalty:GradientPenalty",
    summary="the norm of the critic's gradient is drawn to 1, whatever the loss",
    paper=Paper("Improved Training of Wasserstein GANs", 2017, "arXiv:1704.00028"),
    params=GradientPenaltyParams,
    provides=(PENALTY,),
    conflicts=PER_SAMPLE,
)

R1 = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.r1:R1",
    summary="the discriminator's gradient on real images is drawn to 0, which makes training converge locally",
    paper=_MESCHEDER,
    params=R1Params,
    provides=(PENALTY,),
    conflicts=PER_SAMPLE,
)

R2 = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.r2:R2",
    summary="the discriminator's gradient on generated images is drawn to 0",
    paper=_MESCHEDER,
    params=R2Params,
    provides=(PENALTY,),
    conflicts=PER_SAMPLE,
)

WEIGHT_CLIPPING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.weight_clipping:WeightClipping",
    summary="every weight of the critic is kept within [-0.01, 0.01], whatever the loss",
    paper=Paper("Wasserstein GAN", 2017, "arXiv:1701.07875"),
    params=WeightClippingParams,
)
