"""What the built-in losses declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Spec, param


@dataclass(frozen=True)
class BCEParams:
    """Goodfellow et al. 2014."""

    saturating: bool = param(False, "let the generator minimise log(1 - D(G(z))), the original minimax game")


@dataclass(frozen=True)
class WGANGPParams:
    """Gulrajani et al. 2017, algorithm 1."""

    penalty: float = param(10.0, "weight lambda of the gradient penalty", low=0)
    n_critic: int = param(5, "critic steps a generator step", low=1)


BCE = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.bce:BCE",
    summary="binary cross-entropy, non-saturating by default",
    paper=Paper("Generative Adversarial Nets", 2014, "arXiv:1406.2661"),
    params=BCEParams,
    provides=("targets",),
)

HINGE = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.hinge:Hinge",
    summary="hinge loss: the discriminator ignores samples that it is already sure of",
    paper=Paper("Geometric GAN", 2017, "arXiv:1705.02894"),
)

WGAN_GP = Spec(
    kind="loss",
    target="ganzoo.zoo.losses.wgan_gp:WGANGP",
    summary="Wasserstein distance, with a penalty that keeps the critic's gradient at norm 1",
    paper=Paper("Improved Training of Wasserstein GANs", 2017, "arXiv:1704.00028"),
    params=WGANGPParams,
    recipe=lambda params: Recipe(
        optimizer="adam",
        generator_lr=1e-4,
        discriminator_lr=1e-4,
        beta1=0.0,
        beta2=0.9,
        batch_size=64,  # of its DCGAN experiments; the rest is algorithm 1
        n_critic=params.n_critic,
    ),
    conflicts={"critic-norm:batch": "its penalty is per sample, and batch norm couples the samples of a batch"},
)
