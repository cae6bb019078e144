"""What the tricks that change how activations are normalised declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class VirtualBatchNormParams:
    """Salimans et al. 2016, section 3.4; the reference is as large as a batch of the authors' release for ImageNet."""

    reference: int = param(64, "latents in the reference batch, which every pass takes along", low=1)


VIRTUAL_BATCH_NORM = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.virtual_batch_norm:VirtualBatchNorm",
    summary="the generator's batch norms use a fixed reference batch, so that no sample depends on the others",
    paper=Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498"),
    params=VirtualBatchNormParams,
    conflicts={"latent-prior": "its reference batch is standard normal, and these latents are not"},
)
