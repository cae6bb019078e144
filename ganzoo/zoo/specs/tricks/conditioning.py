"""What the tricks that condition the networks on classes declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Setting, Spec, param


@dataclass(frozen=True)
class AuxiliaryClassifierParams:
    """Odena et al. 2017, section 3: L_S + L_C and L_C - L_S, both with weight 1."""

    discriminator: float = param(1.0, "weight of L_C in the discriminator's objective", low=0)
    generator: float = param(1.0, "weight of L_C in the generator's objective", low=0)


_LABELS = {"labels": "it conditions the networks on the class of each image, and these images have none"}


def _classifier_refuses(params: AuxiliaryClassifierParams, setting: Setting) -> str | None:
    if setting.packing > 1:
        return "images that are judged together share their features, and it classifies each image by its own"
    return None


AUXILIARY_CLASSIFIER = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.auxiliary_classifier:AuxiliaryClassifier",
    summary="class-conditional: the discriminator also tells the class, and the generator helps it to",
    paper=Paper("Conditional Image Synthesis with Auxiliary Classifier GANs", 2017, "arXiv:1610.09585"),
    params=AuxiliaryClassifierParams,
    provides=("class-conditional",),
    requires=_LABELS,
    refuse=_classifier_refuses,
)

PROJECTION = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.projection:Projection",
    summary="class-conditional: the discriminator projects features on a learned vector of the class",
    paper=Paper("cGANs with Projection Discriminator", 2018, "arXiv:1802.05637"),
    provides=("class-conditional",),
    requires=_LABELS,
)
