"""What the built-in tricks declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Spec, param

_SALIMANS = Paper("Improved Techniques for Training GANs", 2016, "arXiv:1606.03498")


@dataclass(frozen=True)
class EMAParams:
    """StyleGAN2's training loop keeps an average with a half-life of 10,000 images."""

    half_life: float = param(10_000, "half-life of the average", unit="real images seen", low=1)


@dataclass(frozen=True)
class FeatureMatchingParams:
    """Salimans et al. 2016, section 3.1."""

    weight: float = param(1.0, "weight of the distance between mean features", low=0)
    replace: bool = param(True, "stand in for the generator's loss, as in the paper; false adds to it")


@dataclass(frozen=True)
class LabelSmoothingParams:
    """Salimans et al. 2016, section 3.4: only the real targets are smoothed."""

    real: float = param(0.9, "target of real images", low=0, high=1)
    fake: float = param(0.0, "target of generated images; above 0 the smoothing is two-sided", low=0, high=1)


@dataclass(frozen=True)
class SpectralNormParams:
    """Miyato et al. 2018, algorithm 1."""

    iterations: int = param(1, "power iterations a pass", low=1)
    generator: bool = param(False, "normalise the generator too, as SAGAN does")


@dataclass(frozen=True)
class TTURParams:
    """Heusel et al. 2017, table 1: the rates of its WGAN-GP image models, which update both players equally often."""

    generator: float = param(1e-4, "learning rate of the generator", low=0)
    discriminator: float = param(3e-4, "learning rate of the discriminator", low=0)
    n_critic: int = param(1, "discriminator steps a generator step", low=1)


_RESCALES = "the norm rescales activations by the data, which undoes the Lipschitz bound of the weights"

EMA = Spec(
    kind="trick",
    target="ganzoo.api:Trick",  # a recipe and nothing else: the trainer averages weights wherever a recipe asks it
    summary="sample from an exponential moving average of the generator's weights",
    paper=Paper("The Unusual Effectiveness of Averaging in GAN Training", 2019, "arXiv:1806.04498"),
    params=EMAParams,
    recipe=lambda params: Recipe(ema_half_life=params.half_life),
)

FEATURE_MATCHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.feature_matching:FeatureMatching",
    summary="the generator matches the mean of the discriminator's features",
    paper=_SALIMANS,
    params=FeatureMatchingParams,
)

LABEL_SMOOTHING = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.label_smoothing:LabelSmoothing",
    summary="real targets of 0.9 keep the discriminator from growing too sure",
    paper=_SALIMANS,
    params=LabelSmoothingParams,
    requires={"targets": "it moves the targets of the discriminator, and this loss has none"},
)

SPECTRAL_NORM = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.spectral_norm:SpectralNorm",
    summary="every weight of the discriminator is divided by its largest singular value",
    paper=Paper("Spectral Normalization for Generative Adversarial Networks", 2018, "arXiv:1802.05957"),
    params=SpectralNormParams,
    conflicts={f"critic-norm:{norm}": _RESCALES for norm in ("batch", "layer", "instance")},
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

UNIFORM_LATENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.uniform_latent:UniformLatent",
    summary="latents drawn uniformly from [-1, 1], as DCGAN does",
    paper=Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        2016,
        "arXiv:1511.06434",
    ),
)
