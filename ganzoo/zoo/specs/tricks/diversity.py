"""What the tricks against mode collapse declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ganzoo.api import Paper, Setting, Spec, param
from ganzoo.zoo.specs.losses import PENALTY


@dataclass(frozen=True)
class FeatureMatchingParams:
    """Salimans et al. 2016, section 3.1."""

    weight: float = param(1.0, "weight of the distance between mean features", low=0)
    replace: bool = param(True, "stand in for the generator's loss, as in the paper; false adds to it")


@dataclass(frozen=True)
class MinibatchDiscriminationParams:
    """B and C of the authors' release for CIFAR-10; its ImageNet model has 300 and 50."""

    kernels: int = param(100, "number B of similarities that each sample is given", low=1)
    dimensions: int = param(5, "length C of the vectors that are compared", low=1)


@dataclass(frozen=True)
class MinibatchStddevParams:
    """Of the authors' release; Karras et al. 2018, section 3, take the whole batch."""

    group: int = param(
        4,
        "samples compared with each other; where the batch is no multiple, the next larger number that divides it",
        low=2,
    )


@dataclass(frozen=True)
class PackingParams:
    """Lin et al. 2018 try 2, 3 and 4; two do most of it."""

    m: int = param(2, "images that are judged together; a batch is a multiple of it", low=2)


@dataclass(frozen=True)
class UnrolledParams:
    """Steps of Metz et al. 2017, figure 1. They unroll Adam at 1e-4; this rate is our own choice.

    Ten steps of plain descent at it lower the discriminator's objective on the ring about as far as ten of Adam do; on
    the grid of benchmarks/mixtures, whose discriminator learns slowly, it took 0.05 to find most modes.
    """

    steps: int = param(10, "steps K that the discriminator is unrolled by", low=1)
    rate: float = param(1e-3, "learning rate eta of these steps", low=0)


PENALISED_STEPS = 2
"""Unrolled steps that a penalty can take part in: with ten, a step of training takes minutes, and memory as it goes."""
_UNROLLED_PENALTY = (
    "each unrolled step differentiates the penalty's own gradient once more, in ever more time and memory; unroll by "
    f"at most {PENALISED_STEPS} steps"
)


_SALIMANS = Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498")

FEATURE_MATCHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.feature_matching:FeatureMatching",
    summary="the generator matches the mean of the discriminator's features",
    paper=_SALIMANS,
    params=FeatureMatchingParams,
)

MINIBATCH_DISCRIMINATION = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.minibatch_discrimination:MinibatchDiscrimination",
    summary="the discriminator sees how close each sample is to the others of its batch",
    paper=_SALIMANS,
    provides=("couples-samples",),
    params=MinibatchDiscriminationParams,
)

MINIBATCH_STDDEV = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.minibatch_stddev:MinibatchStddev",
    summary="the discriminator sees how much the samples of a group differ",
    paper=Paper("Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018, "arXiv:1710.10196"),
    provides=("couples-samples",),
    params=MinibatchStddevParams,
)


def _packing_refuses(params: PackingParams, setting: Setting) -> str | None:
    if setting.classes:
        return "the images that it packs together have different classes, and the discriminator is told of one"
    if setting.packing != params.m:
        return f"{setting.packing} images are packed together by another trick, and only one can pack them"
    return None


PACKING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.packing:Packing",
    summary="the discriminator judges several images together, so that a lack of variety shows",
    paper=Paper("PacGAN: The power of two samples in generative adversarial networks", 2018, "arXiv:1712.04086"),
    params=PackingParams,
    setting=lambda params, setting: replace(setting, packing=params.m * setting.packing),
    refuse=_packing_refuses,
)

UNROLLED = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.unrolled:Unrolled",
    summary="the generator plays against the discriminator as it will be some steps ahead",
    paper=Paper("Unrolled Generative Adversarial Networks", 2017, "arXiv:1611.02163"),
    params=UnrolledParams,
    conflicts=lambda params: {PENALTY: _UNROLLED_PENALTY} if params.steps > PENALISED_STEPS else {},
)
