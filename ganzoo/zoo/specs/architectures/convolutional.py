"""What the plain convolutional architectures declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Setting, Spec, param

NORMS = ("batch", "layer", "instance", "none")

_RADFORD = Paper(
    "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
    2016,
    "arXiv:1511.06434",
)


@dataclass(frozen=True)
class DCGANParams:
    """Defaults of the authors' Torch release; figure 1 of the paper draws width 128."""

    latent: int = param(100, "length of the latent vector", low=1)
    width: int = param(64, "channels next to the image; doubled with each halving of the resolution", low=1)
    critic_norm: str = param("batch", "norm of the discriminator", choices=NORMS, trait="critic-norm")
    norm: str = param("batch", "norm of the generator", choices=NORMS)
    slope: float = param(0.2, "negative slope of the discriminator's LeakyReLU", low=0, high=1)


@dataclass(frozen=True)
class DCGAN28Params:
    """Defaults of the tutorial, and of Keras where it names none."""

    latent: int = param(100, "length of the latent vector", low=1)
    slope: float = param(0.3, "negative slope of LeakyReLU in both networks", low=0, high=1)
    dropout: float = param(0.3, "share of the discriminator's activations that are dropped", low=0, high=1)


@dataclass(frozen=True)
class SNDCGANParams:
    """Miyato et al. 2018, table 3."""

    latent: int = param(128, "length of the latent vector", low=1)
    slope: float = param(0.1, "negative slope of the discriminator's LeakyReLU", low=0, high=1)
    variant: str = param("table", "table 3 of the paper, or the later release", choices=("table", "release"))


def _dcgan_refuses(params: DCGANParams, setting: Setting) -> str | None:
    channels, height, width = setting.shape
    if channels not in (1, 3):
        return f"draws images of 1 or 3 channels, not {channels}"
    if height != width or height % 4 or not 8 <= height <= 128:
        return f"draws square images whose side is a multiple of 4 from 8 to 128, not {height}x{width}"
    return None


def _dcgan28_refuses(params: DCGAN28Params, setting: Setting) -> str | None:
    _, height, width = setting.shape
    return None if height == width == 28 else f"draws images of 28x28, as its tutorial does, not {height}x{width}"


def _sndcgan_refuses(params: SNDCGANParams, setting: Setting) -> str | None:
    _, height, width = setting.shape
    if height != width or height % 8 or not 8 <= height <= 128:
        return f"draws square images whose side is a multiple of 8 from 8 to 128, not {height}x{width}"
    return None


DCGAN = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.dcgan:build",
    summary="strided convolutions, batch norm and no pooling: the GAN that everyone starts from",
    paper=_RADFORD,
    params=DCGANParams,
    recipe=Recipe(  # section 4
        optimizer="adam", generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.5, beta2=0.999, batch_size=128
    ),
    refuse=_dcgan_refuses,
)

DCGAN28 = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.dcgan28:build",
    summary="the 28x28 network of TensorFlow's DCGAN tutorial, with dropout in the discriminator",
    paper=_RADFORD,
    params=DCGAN28Params,
    recipe=Recipe(  # the tutorial's; the betas are Keras'
        optimizer="adam", generator_lr=1e-4, discriminator_lr=1e-4, beta1=0.9, beta2=0.999, batch_size=256
    ),
    refuse=_dcgan28_refuses,
)

SNDCGAN = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.sndcgan:build",
    summary="the standard CNN of spectral normalisation, without norms in the critic; published with spectral-norm",
    paper=Paper("Spectral Normalization for Generative Adversarial Networks", 2018, "arXiv:1802.05957"),
    params=SNDCGANParams,
    recipe=Recipe(  # setting C of table 1, one of the six that the paper tries; batches as in its appendix
        optimizer="adam",
        generator_lr=2e-4,
        discriminator_lr=2e-4,
        beta1=0.5,
        beta2=0.999,
        n_critic=1,
        batch_size=64,
    ),
    refuse=_sndcgan_refuses,
)
