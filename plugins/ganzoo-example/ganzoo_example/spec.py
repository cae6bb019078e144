"""What ganzoo knows of this plugin without building it. No torch here: listing and planning read this file."""

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Setting, Spec, param


@dataclass(frozen=True)
class CPPNParams:
    """Ha 2016 draws with 32 units, five layers deep and untrained; these train on small images in a minute."""

    latent: int = param(32, "length of the latent vector", low=1)
    width: int = param(64, "hidden units of the generator, and channels of the discriminator", low=1)
    frequencies: int = param(3, "octaves of waves that a place is described by", low=0)


@dataclass(frozen=True)
class FGANParams:
    """Nowozin et al. 2016 try many divergences; Pearson's makes the simplest game."""

    divergence: str = param("pearson", "divergence from data to generator", choices=("pearson", "kl", "gan"))


@dataclass(frozen=True)
class LeCamParams:
    """Tseng et al. 2021, section 4.1: lambda 0.3 and a decay of 0.99 for BigGAN on CIFAR."""

    weight: float = param(0.3, "weight lambda of the regulariser", low=0)
    decay: float = param(0.99, "share of the old that the moving averages keep each step", low=0, high=1)


def _too_small(params: CPPNParams, setting: Setting) -> str | None:
    """Say why images cannot be drawn: the discriminator halves them twice."""
    height, width = setting.shape[1:]
    return None if min(height, width) >= 4 else f"draws images of 4x4 pixels and more, not {height}x{width}"


CPPN = Spec(
    kind="architecture",
    target="ganzoo_example.architecture:build",
    summary="a network from places to colours, which draws an image pixel by pixel; any size",
    paper=Paper("Generating Large Images from Latent Vectors", 2016, "blog.otoro.net/2016/04/01"),
    params=CPPNParams,
    recipe=Recipe(optimizer="adam", generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.5, beta2=0.999),
    refuse=_too_small,
    api=1,
)

FGAN = Spec(
    kind="loss",
    target="ganzoo_example.loss:FGAN",
    summary="f-divergences: the discriminator estimates the one you choose, the generator makes it small",
    paper=Paper(
        "f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization", 2016, "arXiv:1606.00709"
    ),
    params=FGANParams,
    api=1,
)

LECAM = Spec(
    kind="trick",
    target="ganzoo_example.trick:LeCam",
    summary="logits are drawn to the moving average of the other kind's, which helps where data is scarce",
    paper=Paper("Regularizing Generative Adversarial Networks under Limited Data", 2021, "arXiv:2104.03310"),
    params=LeCamParams,
    conflicts={"paired": "it compares logits with an average, and paired logits have no zero to compare from"},
    api=1,
)
