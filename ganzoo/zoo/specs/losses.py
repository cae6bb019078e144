"""What the built-in losses declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Spec, param


@dataclass(frozen=True)
class BCEParams:
    """Goodfellow et al. 2014."""

    saturating: bool = param(False, "let the generator minimise log(1 - D(G(z))), the original minimax game")


@dataclass(frozen=True)
class DRAGANParams:
    """Kodali et al. 2017: lambda and the noise of the authors' release, which advises k = 1."""

    penalty: float = param(10.0, "weight lambda of the gradient penalty", low=0)
    k: float = param(1.0, "gradient norm that costs nothing", low=0)
    noise: float = param(0.5, "how far from real images it looks", unit="standard deviations of the pixels", low=0)


@dataclass(frozen=True)
class WGANParams:
    """Arjovsky et al. 2017, algorithm 1."""

    clip: float = param(0.01, "bound c of every weight of the critic", low=0)
    n_critic: int = param(5, "critic steps per generator step", low=1)


@dataclass(frozen=True)
class WGANGPParams:
    """Gulrajani et al. 2017, algorithm 1."""

    penalty: float = param(10.0, "weight lambda of the gradient penalty", low=0)
    n_critic: int = param(5, "critic steps per generator step", low=1)


@dataclass(frozen=True)
class WGANLPParams:
    """Lambda of the authors' release (Petzka et al. 2018 vary it); the recipe is that of WGAN-GP."""

    penalty: float = param(10.0, "weight lambda of the one-sided gradient penalty", low=0)
    n_critic: int = param(5, "critic steps per generator step", low=1)


PER_SAMPLE = {"critic-norm:batch": "its penalty is per sample, and batch norm couples the samples of a batch"}
"""What every gradient penalty excludes."""

PENALTY = "penalty"
"""Provided by what differentiates the critic's answers with respect to images, and learns from that gradient."""
NO_ZERO = "no-zero"
"""Trait of losses whose logits have no border at 0: all may move by a constant, or the targets are on their scale."""

_RELATIVISTIC = Paper(
    "The relativistic discriminator: a key element missing from standard GAN", 2019, "arXiv:1807.00734"
)


def _wgan_gp_recipe(params: WGANGPParams | WGANLPParams) -> Recipe:
    return Recipe(
        optimizer="adam",
        generator_lr=1e-4,
        discriminator_lr=1e-4,
        beta1=0.0,
        beta2=0.9,
        batch_size=64,  # of its DCGAN experiments; the rest is algorithm 1
        n_critic=params.n_critic,
    )


BCE = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.bce:BCE",
    summary="binary cross-entropy, non-saturating by default",
    paper=Paper("Generative Adversarial Nets", 2014, "arXiv:1406.2661"),
    params=BCEParams,
    provides=("targets",),
)

DRAGAN = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.dragan:DRAGAN",
    summary="binary cross-entropy, with a penalty that keeps the discriminator smooth around real images",
    paper=Paper("On Convergence and Stability of GANs", 2017, "arXiv:1705.07215"),
    params=DRAGANParams,
    provides=("targets", PENALTY),
    conflicts=PER_SAMPLE,
)

HINGE = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.hinge:Hinge",
    summary="hinge loss: the discriminator ignores samples that it is already sure of",
    paper=Paper("Geometric GAN", 2017, "arXiv:1705.02894"),
)

LSGAN = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.lsgan:LSGAN",
    summary="least squares: also moves fakes that the discriminator accepts but that lie far from the boundary",
    paper=Paper("Least Squares Generative Adversarial Networks", 2017, "arXiv:1611.04076"),
    provides=("targets", NO_ZERO),
)

RAGAN = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.ragan:RaGAN",
    summary="relativistic average: the discriminator compares each image with the average of the other kind",
    paper=_RELATIVISTIC,
    provides=("targets", NO_ZERO),
)

RPGAN = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.rpgan:RpGAN",
    summary="relativistic pairing: each real image is to beat one fake, and the reverse; R3GAN's with r1 and r2",
    paper=_RELATIVISTIC,
    provides=("paired", NO_ZERO),
)

WGAN = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.wgan:WGAN",
    summary="Wasserstein distance, of a critic whose weights are clipped",
    paper=Paper("Wasserstein GAN", 2017, "arXiv:1701.07875"),
    params=WGANParams,
    provides=(NO_ZERO,),
    recipe=lambda params: Recipe(  # algorithm 1
        optimizer="rmsprop",
        generator_lr=5e-5,
        discriminator_lr=5e-5,
        batch_size=64,
        n_critic=params.n_critic,
    ),
)

WGAN_GP = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.wgan_gp:WGANGP",
    summary="Wasserstein distance, with a penalty that keeps the critic's gradient at norm 1",
    paper=Paper("Improved Training of Wasserstein GANs", 2017, "arXiv:1704.00028"),
    params=WGANGPParams,
    recipe=_wgan_gp_recipe,
    provides=(NO_ZERO, PENALTY),
    conflicts=PER_SAMPLE,
)

WGAN_LP = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.wgan_lp:WGANLP",
    summary="Wasserstein distance, with a penalty where the critic's gradient is longer than 1, and only there",
    paper=Paper("On the regularization of Wasserstein GANs", 2018, "arXiv:1709.08894"),
    params=WGANLPParams,
    recipe=_wgan_gp_recipe,
    provides=(NO_ZERO, PENALTY),
    conflicts=PER_SAMPLE,
)
