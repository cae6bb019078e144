"""What the tricks on latents declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class MixtureLatentParams:
    """Of a public reimplementation on MNIST; not checked against the text of Ben-Yosef & Weinshall 2018."""

    components: int = param(10, "number K of Gaussians", low=1)
    c: float = param(0.1, "the means are drawn uniformly from [-c, c]^d", low=0)
    sd: float = param(0.15, "standard deviation around each mean", low=0)


@dataclass(frozen=True)
class TruncatedLatentParams:
    """Brock et al. 2019, figure 2: the widest of its thresholds."""

    threshold: float = param(2.0, "largest value of a latent", unit="standard deviations", low=0.01)


_ONE_PRIOR = {"latent-prior": "each decides which distribution latents come from, and only one can"}

MIXTURE_LATENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.mixture_latent:MixtureLatent",
    summary="latents of a mixture of Gaussians, so that the modes start apart",
    paper=Paper(
        "Gaussian Mixture Generative Adversarial Networks for Diverse Datasets, and the Unsupervised Clustering of "
        "Images",
        2018,
        "arXiv:1808.10356",
    ),
    params=MixtureLatentParams,
    provides=("latent-prior",),
    conflicts=_ONE_PRIOR,
)

TRUNCATED_LATENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.truncated_latent:TruncatedLatent",
    summary="latents of a normal distribution without its tails, in training and for samples",
    paper=Paper("Large Scale GAN Training for High Fidelity Natural Image Synthesis", 2019, "arXiv:1809.11096"),
    params=TruncatedLatentParams,
    provides=("latent-prior",),
    conflicts=_ONE_PRIOR,
)

UNIFORM_LATENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.uniform_latent:UniformLatent",
    summary="latents drawn uniformly from [-1, 1], as DCGAN does",
    paper=Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        2016,
        "arXiv:1511.06434",
    ),
    provides=("latent-prior",),
    conflicts=_ONE_PRIOR,
)
