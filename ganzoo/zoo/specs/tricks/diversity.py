"""What the tricks against mode collapse declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class FeatureMatchingParams:
    """Salimans et al. 2016, section 3.1."""

    weight: float = param(1.0, "weight of the distance between mean features", low=0)
    replace: bool = param(True, "stand in for the generator's loss, as in the paper; false adds to it")


_SALIMANS = Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498")

FEATURE_MATCHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.feature_matching:FeatureMatching",
    summary="the generator matches the mean of the discriminator's features",
    paper=_SALIMANS,
    params=FeatureMatchingParams,
)
