"""What the built-in architectures declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ganzoo.api import Paper, Recipe, Setting, Spec, param

NORMS = ("batch", "layer", "instance", "none")


@dataclass(frozen=True)
class DCGANParams:
    """Defaults of the authors' Torch release; figure 1 of the paper draws width 128."""

    latent: int = param(100, "length of the latent vector", low=1)
    width: int = param(64, "channels next to the image; doubled with each halving of the resolution", low=1)
    critic_norm: str = param("batch", "norm of the discriminator", choices=NORMS, trait="critic-norm")
    norm: str = param("batch", "norm of the generator", choices=NORMS)
    slope: float = param(0.2, "negative slope of the discriminator's LeakyReLU", low=0, high=1)


@dataclass(frozen=True)
class MLPParams:
    """Widths of the fully connected GANs that tutorials teach; the paper leaves them open."""

    latent: int = param(100, "length of the latent vector", low=1)
    generator: tuple[int, ...] = param((256, 512, 1024), "widths of the generator's hidden layers", low=1)
    discriminator: tuple[int, ...] = param((1024, 512, 256), "widths of the discriminator's hidden layers", low=1)
    critic_norm: str = param(
        "none", "norm of the discriminator", choices=("none", "batch", "layer"), trait="critic-norm"
    )
    norm: str = param("batch", "norm of the generator", choices=("batch", "layer", "none"))
    slope: float = param(0.2, "negative slope of LeakyReLU", low=0, high=1)


def _dcgan_refuses(params: DCGANParams, setting: Setting) -> str | None:
    channels, height, width = setting.shape
    if channels not in (1, 3):
        return f"draws images of 1 or 3 channels, not {channels}"
    if height != width or height % 4 or not 8 <= height <= 128:
        return f"draws square images whose side is a multiple of 4 from 8 to 128, not {height}x{width}"
    return None


_ADAM = Recipe(optimizer="adam", generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.5, beta2=0.999)

DCGAN = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.dcgan:build",
    summary="strided convolutions, batch norm and no pooling: the GAN that everyone starts from",
    paper=Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        2016,
        "arXiv:1511.06434",
    ),
    params=DCGANParams,
    recipe=replace(_ADAM, batch_size=128),  # section 4
    refuse=_dcgan_refuses,
)

MLP = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.mlp:build",
    summary="fully connected networks, for any image shape",
    paper=Paper("Generative Adversarial Nets", 2014, "arXiv:1406.2661"),
    params=MLPParams,
    recipe=_ADAM,
)
