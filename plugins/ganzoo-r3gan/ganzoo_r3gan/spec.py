"""What ganzoo knows of this plugin without building it. No torch here: listing and planning read this file.

The defaults are those of the paper's CIFAR-10 model: the `CIFAR10` preset in train.py of github.com/brownvc/R3GAN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ganzoo.api import Paper, Recipe, Setting, Spec, param

SIDES = (8, 16, 32, 64, 128, 256)
PAPER = Paper("The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024, "arXiv:2501.05441")


class Stage(NamedTuple):
    """The residual blocks at one resolution."""

    width: int
    """Channels between the blocks."""
    groups: int
    """Groups of the blocks' 3x3 convolutions."""


@dataclass(frozen=True)
class R3GANParams:
    """The CIFAR-10 preset; halving beyond 32x32, groups included, is the rule of the FFHQ presets."""

    latent: int = param(64, "length of the latent vector and of the generator's class embedding", low=1)
    widths: tuple[int, ...] = param(
        (768, 768, 768, 768), "channels at 4x4, 8x8 and so on; beyond the list each has half of the one before", low=1
    )
    cardinality: int = param(96, "groups of the 3x3 convolutions at 4x4; elsewhere in proportion to the width", low=1)
    blocks: int = param(2, "residual blocks at each resolution", low=1)
    expansion: int = param(2, "how many times more channels a block has inside", low=1)

    def stages(self, side: int) -> list[Stage]:
        """Return the stages of networks for images of a side, from 4x4 up to it."""
        count = SIDES.index(side) + 2  # 4x4 comes before the smallest side
        widths = list(self.widths[:count])
        while len(widths) < count:
            widths.append(widths[-1] // 2)
        return [Stage(width, self.cardinality * width // widths[0]) for width in widths]


@dataclass(frozen=True)
class PenaltyParams:
    """The CIFAR-10 preset. The authors' other presets have other weights: README.md lists them."""

    gamma: float = param(0.05, "weight gamma of R1 and R2 at the start", low=0)
    final_gamma: float = param(0.005, "its weight at the end", low=0)
    length: float = param(20e6, "how long it takes from one to the other", unit="real images seen", low=1)


@dataclass(frozen=True)
class ScheduleParams:
    """The CIFAR-10 preset. What starts and stays in the recipe, a suite or the command line may change there."""

    lr: float = param(2e-4, "learning rate of both players at the start", low=0)
    final_lr: float = param(5e-5, "learning rate of both players at the end", low=0)
    beta2: float = param(0.9, "Adam's second moment decay at the start", low=0, high=1)
    final_beta2: float = param(0.99, "Adam's second moment decay at the end", low=0, high=1)
    first_half_life: float = param(
        0.0, "half-life of the generator's average at the start", unit="real images seen", low=0
    )
    half_life: float = param(5e6, "half-life of the generator's average at the end", unit="real images seen", low=0)
    length: float = param(20e6, "how long it takes from start to end", unit="real images seen", low=1)


def _refuses(params: R3GANParams, setting: Setting) -> str | None:
    _, height, width = setting.shape
    if height != width or width not in SIDES:
        return f"draws square images of side {', '.join(map(str, SIDES))}, not {height}x{width}"
    if not params.widths:
        return "widths names no channels; give those at 4x4 first, e.g. widths=768x768x768x768"
    for channels, groups in params.stages(width):
        if not groups or channels * params.expansion % groups:
            inside = channels * params.expansion
            return f"{inside} channels inside a block do not divide into {groups} groups; change widths or cardinality"
    return None


def _refuses_packing(params: object, setting: Setting) -> str | None:
    if setting.packing > 1:
        return "it judges an image by its class, and images that are packed together have several"
    return None


R3GAN = Spec(
    kind="architecture",
    target="ganzoo_r3gan.networks:build",
    summary="residual networks of grouped convolutions without any norm: the modern baseline, for rpgan with R1 and R2",
    paper=PAPER,
    params=R3GANParams,
    recipe=Recipe(
        optimizer="adam",
        generator_lr=2e-4,
        discriminator_lr=2e-4,
        beta1=0.0,
        beta2=0.9,
        batch_size=512,
        n_critic=1,
    ),
    refuse=_refuses,
    conflicts={"spectral-norm": "its blocks start at zero, and zeros have no largest singular value to divide by"},
)

PENALTY = Spec(
    kind="trick",
    target="ganzoo_r3gan.penalty:Penalty",
    summary="R1 and R2 in one: the discriminator is kept flat on real and fake images, less so as training goes on",
    paper=PAPER,
    params=PenaltyParams,
    provides=("penalty",),
    conflicts={"critic-norm:batch": "its penalty is per sample, and batch norm couples the samples of a batch"},
)

PROJECTION = Spec(
    kind="trick",
    target="ganzoo_r3gan.projection:Projection",
    summary="class-conditional: all of the discriminator's answer is a product of features and class, as in R3GAN",
    paper=PAPER,
    provides=("class-conditional",),
    requires={"labels": "it conditions the networks on the class of each image, and these images have none"},
    conflicts={"class-conditional": "it is the whole head of the discriminator, and leaves no other to condition"},
    refuse=_refuses_packing,
)

SCHEDULE = Spec(
    kind="trick",
    target="ganzoo_r3gan.schedule:Schedule",
    summary="R3GAN's schedules: learning rates fall, beta2 and the average's half-life rise, along a cosine",
    paper=PAPER,
    params=ScheduleParams,
    recipe=lambda params: Recipe(
        optimizer="adam",
        generator_lr=params.lr,
        discriminator_lr=params.lr,
        beta2=params.beta2,
        ema_half_life=params.half_life,
    ),
)
