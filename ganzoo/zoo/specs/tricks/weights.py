"""What the tricks on the networks' weights declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class SpectralNormParams:
    """Miyato et al. 2018, algorithm 1."""

    iterations: int = param(1, "power iterations a pass", low=1)
    generator: bool = param(False, "normalise the generator too, as SAGAN does")


_RESCALES = "the norm rescales activations by the data, which undoes the Lipschitz bound of the weights"

SPECTRAL_NORM = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.spectral_norm:SpectralNorm",
    summary="every weight of the discriminator is divided by its largest singular value",
    paper=Paper("Spectral Normalization for Generative Adversarial Networks", 2018, "arXiv:1802.05957"),
    params=SpectralNormParams,
    conflicts={f"critic-norm:{norm}": _RESCALES for norm in ("batch", "layer", "instance")},
)
