"""What the tricks that condition the networks on classes declare. No torch."""

from __future__ import annotations

from ganzoo.api import Paper, Spec

_LABELS = {"labels": "it conditions the networks on the class of each image, and these images have none"}

PROJECTION = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.projection:Projection",
    summary="class-conditional: the discriminator projects features on a learned vector of the class",
    paper=Paper("cGANs with Projection Discriminator", 2018, "arXiv:1802.05637"),
    provides=("class-conditional",),
    requires=_LABELS,
)
