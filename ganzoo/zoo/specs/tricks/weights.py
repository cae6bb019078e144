"""What the tricks on the networks' weights declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class SpectralNormParams:
    """Miyato et al. 2018, algorithm 1."""

    iterations: int = param(1, "power iterations a pass", low=1)
    generator: bool = param(False, "normalise the generator too, as SAGAN does")


@dataclass(frozen=True)
class HistoricalAveragingParams:
    """Salimans et al. 2016, section 3.3, add the distance as it is; their release does without."""

    weight: float = param(1.0, "weight of the squared distance from the mean of all past weights", low=0)


@dataclass(frozen=True)
class OrthogonalParams:
    """Brock et al. 2019, section 3.1. Their release adds half of this penalty's slope."""

    beta: float = param(1e-4, "weight beta of the products of filters", low=0)
    discriminator: bool = param(False, "regularise the discriminator too")


@dataclass(frozen=True)
class WeightDecayParams:
    """Lambda of DCGAN's release (l2 of its model of faces), which decays all parameters of both players."""

    generator: float = param(1e-5, "weight lambda of half the squared weights, in the generator's objective", low=0)
    discriminator: float = param(1e-5, "the same in the discriminator's", low=0)
    everything: bool = param(False, "decay biases and the gains of norms too, as DCGAN's release does")


_RESCALES = "the norm rescales activations by the data, which undoes the Lipschitz bound of the weights"

SPECTRAL_NORM = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.spectral_norm:SpectralNorm",
    summary="every weight of the discriminator is divided by its largest singular value",
    paper=Paper("Spectral Normalization for Generative Adversarial Networks", 2018, "arXiv:1802.05957"),
    params=SpectralNormParams,
    provides=("spectral-norm",),
    conflicts={f"critic-norm:{norm}": _RESCALES for norm in ("batch", "layer", "instance")},
)

HISTORICAL_AVERAGING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.historical_averaging:HistoricalAveraging",
    summary="both players are drawn to the mean of their past weights, so that they do not circle each other",
    paper=Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498"),
    params=HistoricalAveragingParams,
)

ORTHOGONAL = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.orthogonal:Orthogonal",
    summary="the generator's filters are drawn to be orthogonal, whatever their length",
    paper=Paper("Large Scale GAN Training for High Fidelity Natural Image Synthesis", 2019, "arXiv:1809.11096"),
    params=OrthogonalParams,
)

WEIGHT_DECAY = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.weight_decay:WeightDecay",
    summary="weights are drawn to 0 by an L2 term in the objective of either player",
    paper=Paper("A Simple Weight Decay Can Improve Generalization", 1991, "NIPS 4"),
    params=WeightDecayParams,
)
