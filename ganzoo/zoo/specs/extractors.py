"""The feature networks for metrics that come with ganzoo. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param

INCEPTION_2015_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of `pt_inception-2015-12-05-6726825d.pth`: the only weights whose scores are called FID, IS and KID."""

INCEPTION_2015 = "inception"
"""The extractor that feeds that network as pytorch-fid does, unless a parameter says otherwise."""

DIGITS_CNN = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.classifier:digits_cnn",
    summary="small classifier of 8x8 digits, 32 features; weights included",
    provides=("classes",),
)

MNIST_CNN = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.classifier:mnist_cnn",
    summary="small classifier of MNIST digits, 64 features; weights included",
    provides=("classes",),
)


@dataclass(frozen=True)
class InceptionParams:
    """How images reach the network: in one of two ways, whose scores differ and are never compared."""

    protocol: str = param(
        "pytorch-fid",
        "resizing and scaling as pytorch-fid, or as the first FID code and torch-fidelity do",
        choices=("pytorch-fid", "tf-compat"),
    )


CIFAR10_RESNET = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.resnet:cifar10_resnet",
    summary="residual classifier of CIFAR-10, 128 features; weights included",
    provides=("classes",),
)

INCEPTION = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.inception:inception",
    summary="the Inception network of FID and IS, 2048 features; weights from $TORCH_HOME or downloaded (96 MB)",
    params=InceptionParams,
    provides=("classes",),
    paper=Paper(
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017, "arXiv:1706.08500"
    ),
)

VEEGAN = Paper("VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017, "arXiv:1705.07761")
"""The paper whose mixtures and whose counting of their modes others have followed."""

OUTERMOST = 0.8
"""Where the outermost modes of a mixture lie in the data: a generator that ends in tanh never quite reaches 1."""


@dataclass(frozen=True)
class MixtureParams:
    """A mixture of Gaussians in the plane: equally likely modes with one standard deviation, in the papers' units.

    A ring has radius 1, a grid a spacing of 2 (Srivastava et al. 2017; the numbers are those of Lin et al.'s release,
    github.com/fjxmlzn/PacGAN, synthetic_data_experiments).
    """

    layout: str = param("ring", "where the modes lie: on a circle, or on a square grid", choices=("ring", "grid"))
    modes: int = param(8, "modes in all; of a grid the square of its side", low=2, high=1000)
    sd: float = param(0.01, "standard deviation of a mode, where a ring has radius 1 and a grid a spacing of 2", low=0)

    def __post_init__(self) -> None:
        if self.layout == "grid" and math.isqrt(self.modes) ** 2 != self.modes:
            raise ValueError(f"modes={self.modes} is not a square, as a grid's number of modes is: 4, 9, 16, 25, ...")
        if not 0 < self.sd <= self.most_sd:
            raise ValueError(
                f"sd={self.sd:g} must be above 0 and at most {math.floor(self.most_sd * 1e4) / 1e4:g} for {self.modes} "
                "modes, or modes would overlap or points leave the generator's range"
            )

    @property
    def outermost(self) -> float:
        """The largest coordinate of a mode's centre."""
        return 1.0 if self.layout == "ring" else math.isqrt(self.modes) - 1.0

    @property
    def unit(self) -> float:
        """What the papers' unit is in the data."""
        return OUTERMOST / self.outermost

    @property
    def most_sd(self) -> float:
        """The widest modes that can be told apart, 6 sd from each other, and that tanh reaches, 5 sd within [-1, 1]."""
        nearest = 2 * math.sin(math.pi / self.modes) if self.layout == "ring" else 2.0
        return min(nearest / 6, (1 / self.unit - self.outermost) / 5)


MIXTURE = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.mixture:mixture",
    summary="the modes of ring and grid, and which points lie within 3 sd of one; needs no weights",
    params=MixtureParams,
    provides=("classes", "quality", "points"),
    paper=VEEGAN,
)

STACKED_MNIST_CNN = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.stacked:stacked_mnist_cnn",
    summary="mnist-cnn on each of three channels, 192 features; tells 1,000 triples of digits apart",
    provides=("classes",),
)


@dataclass(frozen=True)
class Dinov2Params:
    """Which of the four networks, and whose copy of its weights."""

    model: str = param(
        "large", "size of the network; published distances are of large", choices=("small", "base", "large", "giant")
    )
    weights: str = param("", "file of its weights, Meta's .pth or timm's .safetensors; downloaded once where empty")


DINOV2 = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.dinov2:dinov2",
    summary="DINOv2's class token, 1024 features; needs ganzoo-core[dinov2]; weights from $TORCH_HOME or downloaded",
    params=Dinov2Params,
    paper=Paper(
        "Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion models",
        2023,
        "arXiv:2306.04675",
    ),
)
