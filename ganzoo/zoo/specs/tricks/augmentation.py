"""What the tricks on the images that the discriminator sees declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Setting, Spec, param
from ganzoo.zoo.specs.losses import NO_ZERO


@dataclass(frozen=True)
class InstanceNoiseParams:
    """The papers leave the noise's strength to the task; 0.1 is what is customary for images in [-1, 1]."""

    sd: float = param(0.1, "standard deviation of the noise at the start; images span -1 to 1", low=0)
    anneal: float = param(1.0, "share of the run after which no noise is left; 0: it stays", low=0, high=1)


@dataclass(frozen=True)
class DiffAugmentParams:
    """Zhao et al. 2020, section 3, and their release, which takes all three where data is scarce."""

    color: bool = param(True, "change brightness, saturation and contrast")
    translation: bool = param(True, "move by up to an eighth of the side")
    cutout: bool = param(True, "blank a square of half the side")


@dataclass(frozen=True)
class ADAParams:
    """Karras et al. 2020, section 3, and the authors' release. It takes 100,000 images for CIFAR-10."""

    pipeline: str = param(
        "bgc",  # what the release takes unless told
        "pixel blitting, geometry, colour, and what they make together",
        choices=("bgc", "bg", "blit", "geom", "color"),
    )
    target: float = param(0.6, "mean sign of the logits of real images, r_t, beyond which p rises", low=-1, high=1)
    images: int = param(500_000, "real images in which p can rise from 0 to 1; 0: it stays", low=0)
    interval: int = param(4, "discriminator steps from one change of p to the next", low=1)
    start: float = param(0.0, "probability p of each transform at the start", low=0, high=1)


@dataclass(frozen=True)
class ConsistencyParams:
    """Zhao et al. 2021's bCR, whose weights are 10 and 10; CR-GAN (Zhang et al. 2020) is `fake=0`."""

    real: float = param(10.0, "weight of the term on real images", low=0)
    fake: float = param(10.0, "weight of the term on generated images", low=0)
    shift: int = param(4, "pixels that an image is moved by at most", low=0)


def _refuses_columns(params: object, setting: Setting) -> str | None:
    return None if setting.shape[2] > 1 else "mirrors images, and these are one pixel wide"


def _refuses_points(params: object, setting: Setting) -> str | None:
    height, width = setting.shape[1:]
    return None if min(height, width) > 1 else f"transforms images, and these have {height}x{width} pixels"


def _ada_refuses(params: ADAParams, setting: Setting) -> str | None:
    channels = setting.shape[0]
    if channels not in (1, 3) and params.pipeline in ("bgc", "color"):
        return f"changes the colours of images with 1 or 3 channels, not {channels}; take pipeline=bg"
    return _refuses_points(params, setting)


def _consistency_refuses(params: ConsistencyParams, setting: Setting) -> str | None:
    height, width = setting.shape[1:]
    if min(height, width) <= params.shift:
        return f"moves images by up to {params.shift} pixels, and these have {height}x{width}; set a smaller shift"
    return _refuses_columns(params, setting)


HFLIP = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.hflip:HFlip",
    summary="real images are mirrored left to right half of the time",
    refuse=_refuses_columns,
)

INSTANCE_NOISE = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.instance_noise:InstanceNoise",
    summary="noise on all that the discriminator sees, fading out, so that real and fake always overlap",
    paper=Paper("Amortised MAP Inference for Image Super-resolution", 2017, "arXiv:1610.04490"),
    params=InstanceNoiseParams,
)

DIFFAUGMENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.diffaugment:DiffAugment",
    summary="colour, translation and cutout on all that the discriminator sees, for small datasets",
    paper=Paper("Differentiable Augmentation for Data-Efficient GAN Training", 2020, "arXiv:2006.10738"),
    params=DiffAugmentParams,
    refuse=_refuses_points,
)

_NO_BORDER = (
    "it tells from the sign of a real logit whether the discriminator overfits, and 0 is no border between this loss's "
    "logits of real and of fake images; set images=0 and start, which keeps p where it starts"
)

ADA = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.ada:ADA",
    summary="all that the discriminator sees is augmented, the more the further it overfits",
    paper=Paper("Training Generative Adversarial Networks with Limited Data", 2020, "arXiv:2006.06676"),
    params=ADAParams,
    conflicts=lambda params: {NO_ZERO: _NO_BORDER} if params.images else {},
    refuse=_ada_refuses,
)

CONSISTENCY = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.consistency:Consistency",
    summary="the discriminator gives an image and its mirrored, shifted copy the same logit",
    paper=Paper("Improved Consistency Regularization for GANs", 2021, "arXiv:2002.04724"),
    params=ConsistencyParams,
    refuse=_consistency_refuses,
)
