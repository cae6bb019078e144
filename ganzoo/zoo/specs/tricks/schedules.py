"""What the tricks that are recipes and schedules declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Spec, param


@dataclass(frozen=True)
class EMAParams:
    """StyleGAN2's training loop keeps an average with a half-life of 10,000 images."""

    half_life: float = param(10_000, "half-life of the average", unit="real images seen", low=1)


@dataclass(frozen=True)
class TTURParams:
    """Heusel et al. 2017, table 1: the rates of its WGAN-GP image models, which update both players equally often."""

    generator: float = param(1e-4, "learning rate of the generator", low=0)
    discriminator: float = param(3e-4, "learning rate of the discriminator", low=0)
    n_critic: int = param(1, "discriminator steps per generator step", low=1)


@dataclass(frozen=True)
class LRDecayParams:
    """Gulrajani et al. 2017, for their CIFAR-10 ResNet, and the authors' release; Miyato et al. 2018 do the same."""

    shape: str = param("linear", "how the rates fall", choices=("linear", "cosine"))
    start: float = param(0.0, "share of the run before they begin to", low=0, high=1)
    final: float = param(0.0, "share of them that is left at the end", low=0, high=1)


EMA = Spec(
    kind="trick",
    target="ganzoo.api:Trick",  # a recipe and nothing else: the trainer averages weights wherever a recipe asks it
    summary="sample from an exponential moving average of the generator's weights",
    paper=Paper("The Unusual Effectiveness of Averaging in GAN Training", 2019, "arXiv:1806.04498"),
    params=EMAParams,
    recipe=lambda params: Recipe(ema_half_life=params.half_life),
)

LR_DECAY = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.lr_decay:LRDecay",
    summary="both learning rates fall to 0, on a line or a cosine, over all or the last part of the run",
    paper=Paper("Improved Training of Wasserstein GANs", 2017, "arXiv:1704.00028"),
    params=LRDecayParams,
    recipe=Recipe(lr_schedule="constant"),  # in its place, not on top of it
)

TTUR = Spec(
    kind="trick",
    target="ganzoo.api:Trick",  # a recipe and nothing else
    summary="two time-scale update rule: the discriminator learns faster, one step each",
    paper=Paper(
        "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017, "arXiv:1706.08500"
    ),
    params=TTURParams,
    recipe=lambda params: Recipe(
        generator_lr=params.generator, discriminator_lr=params.discriminator, n_critic=params.n_critic
    ),
)
