"""What the tricks on the discriminator's targets declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class LabelSmoothingParams:
    """Salimans et al. 2016, section 3.4: only the real targets are smoothed."""

    real: float = param(0.9, "target of real images", low=0, high=1)
    fake: float = param(0.0, "target of generated images; above 0 the smoothing is two-sided", low=0, high=1)


_SALIMANS = Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498")

LABEL_SMOOTHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.label_smoothing:LabelSmoothing",
    summary="real targets of 0.9 keep the discriminator from growing too sure",
    paper=_SALIMANS,
    params=LabelSmoothingParams,
    requires={"targets": "it moves the targets of the discriminator, and this loss has none"},
)
