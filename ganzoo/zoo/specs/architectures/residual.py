"""What the residual architectures declare. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Setting, Spec, param


@dataclass(frozen=True)
class ResNetParams:
    """Miyato et al. 2018, tables 4 to 6, and the release of Miyato & Koyama 2018."""

    latent: int = param(128, "length of the latent vector", low=1)
    width: int = param(64, "channels of the generator, of which 32x32 images have 4 times as many in each block", low=1)
    critic_width: int = param(64, "channels of the discriminator; 32x32 images have twice as many in each block", low=1)
    critic_norm: str = param("none", "norm of the discriminator", choices=("none", "layer"), trait="critic-norm")
    pool: str = param(
        "sum", "how the last maps become features: the sum of SNGAN, the mean of WGAN-GP", choices=("sum", "mean")
    )


@dataclass(frozen=True)
class SAGANParams:
    """The authors' release; Zhang et al. 2019, table 1 tries four places of the attention and finds 32 the best."""

    latent: int = param(128, "length of the latent vector", low=1)
    width: int = param(64, "channels of the generator, of which 32x32 images have 4 times as many in each block", low=4)
    critic_width: int = param(64, "channels of the discriminator; 32x32 images have twice as many in each block", low=8)
    attention: int = param(
        32, "side of the maps that are attended over, or half of the image's where that is less", low=8, high=64
    )


def _square(setting: Setting, sides: Collection[int]) -> str | None:
    _, height, width = setting.shape
    if height == width and height in sides:
        return None
    *most, last = map(str, sides)
    return f"draws square images of side {', '.join(most)} or {last}, not {height}x{width}"


def _resnet_refuses(params: ResNetParams, setting: Setting) -> str | None:
    return _square(setting, (32, 48, 64, 128))


def _sagan_refuses(params: SAGANParams, setting: Setting) -> str | None:
    if params.attention not in (8, 16, 32, 64):
        return f"attends over maps of side 8, 16, 32 or 64, not {params.attention}"
    return _square(setting, (32, 64, 128))


RESNET = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.resnet:build",
    summary="the ResNet of SNGAN, published with hinge and spectral-norm; of WGAN-GP with width=32,pool=mean",
    paper=Paper("Spectral Normalization for Generative Adversarial Networks", 2018, "arXiv:1802.05957"),
    params=ResNetParams,
    recipe=Recipe(  # the CIFAR-10 settings of the release of Miyato & Koyama 2018; the same in WGAN-GP's
        optimizer="adam",
        generator_lr=2e-4,
        discriminator_lr=2e-4,
        beta1=0.0,
        beta2=0.9,
        n_critic=5,
        batch_size=64,
        lr_schedule="linear",
    ),
    refuse=_resnet_refuses,
)

SAGAN = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.sagan:build",
    summary="a ResNet with self-attention; published with hinge, spectral-norm:generator=true and projection",
    paper=Paper("Self-Attention Generative Adversarial Networks", 2019, "arXiv:1805.08318"),
    params=SAGANParams,
    recipe=Recipe(  # section 4; the batch is the release's, 64 on each of four GPUs
        optimizer="adam",
        generator_lr=1e-4,
        discriminator_lr=4e-4,
        beta1=0.0,
        beta2=0.9,
        n_critic=1,
        batch_size=256,
    ),
    refuse=_sagan_refuses,
)
