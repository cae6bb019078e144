"""The built-in datasets, described without reading one of their images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ganzoo.api import DataInfo, DatasetSpec, Paper, Recipe, param
from ganzoo.errors import ParameterError
from ganzoo.params import label
from ganzoo.zoo.specs.extractors import VEEGAN, MixtureParams


@dataclass(frozen=True)
class FolderParams:
    """Which images of a folder, and what becomes of them."""

    path: str = param(help="folder of images, or of one sub-folder per class; looked for here, then in --data-root")
    size: int = param(32, "height and width that the images are resized and cropped to", low=4, unit="pixels")
    channels: int = param(3, "1 for grey, 3 for colour", low=1, high=3)
    test: str = param("", "folder of the test split, with the same classes; none where empty")

    def __post_init__(self) -> None:
        _check_channels("folder", self.channels, (1, 3))


@dataclass(frozen=True)
class ZipParams:
    """Which images of a dataset zip, and what becomes of them."""

    path: str = param(
        help="zip of images, with StyleGAN's dataset.json or without; looked for here, then in --data-root"
    )
    size: int = param(0, "height and width that the images are resized and cropped to; 0: as stored", low=0)
    channels: int = param(0, "1 for grey, 3 for colour, 0 for what the first image is", low=0, high=3)
    test: str = param("", "zip of the test split; none where empty")

    def __post_init__(self) -> None:
        _check_channels("zip", self.channels, (0, 1, 3))


def _check_channels(name: str, channels: int, known: tuple[int, ...]) -> None:
    """Raise ParameterError for what bounds alone let pass: two channels."""
    if channels not in known:
        raise ParameterError(f"{name}: channels={channels} is not one of {', '.join(map(str, known))}")


@dataclass(frozen=True)
class RingParams:
    """Defaults of Lin et al.'s release: 8 modes on a circle of radius 1 (2DRing_GAN&PacGAN/config.py)."""

    modes: int = param(8, "modes on the circle, whose radius is 1", low=2, high=1000)
    sd: float = param(0.01, "standard deviation of a mode", low=0, unit="radii")

    def __post_init__(self) -> None:
        _ = self.mixture  # checks them together

    @property
    def mixture(self) -> MixtureParams:
        """The distribution."""
        return MixtureParams("ring", self.modes, self.sd)


@dataclass(frozen=True)
class GridParams:
    """Defaults of Lin et al.'s release: 25 modes at {-4, -2, 0, 2, 4}^2 (2DGrid_GAN&PacGAN/config.py)."""

    side: int = param(5, "modes along a side, 2 apart", low=2, high=31)
    sd: float = param(0.05, "standard deviation of a mode, where neighbours are 2 apart", low=0)

    def __post_init__(self) -> None:
        _ = self.mixture  # checks them together

    @property
    def mixture(self) -> MixtureParams:
        """The distribution."""
        return MixtureParams("grid", self.side**2, self.sd)


def _known(info: DataInfo, params: Any, root: Path) -> DataInfo:
    """Describe a dataset that is the same everywhere."""
    return info


def _describe_mixture(params: RingParams | GridParams, root: Path) -> DataInfo:
    """Describe points in the plane.

    As many points to train on as in Lin et al.'s release. The 10,000 for testing are four times the 2,500 that a
    score takes, so that the floor is a draw among fresh points, and `--samples` can be raised to the usual 10,000.
    """
    return DataInfo((2, 1, 1), train=100_000, test=10_000, classes=params.mixture.modes, dtype="float32")


def _mixture_extractor(params: RingParams | GridParams) -> str:
    """Return the extractor that knows where these very modes lie."""
    return label("mixture", params.mixture)


def _describe_folder(params: FolderParams, root: Path) -> DataInfo:
    """List the folder."""
    from ganzoo.zoo.datasets import folder  # noqa: PLC0415 - NumPy and Pillow are slow to import

    return folder.describe(params, root)


def _describe_zip(params: ZipParams, root: Path) -> DataInfo:
    """Read the zip's directory, its labels and its first image."""
    from ganzoo.zoo.datasets import archive  # noqa: PLC0415 - NumPy and Pillow are slow to import

    return archive.describe(params, root)


DIGITS = DatasetSpec(
    target="ganzoo.zoo.datasets.digits:load",
    summary="1,797 handwritten digits, 8x8, grey; comes with ganzoo",
    paper=Paper("Optical Recognition of Handwritten Digits", 1998, "doi:10.24432/C50P49"),
    describe=partial(_known, DataInfo(shape=(1, 8, 8), train=1198, test=599, classes=10)),
    extractor="digits-cnn",
    recipe=Recipe(steps=1000),
)

MNIST = DatasetSpec(
    target="ganzoo.zoo.datasets.vision:load_mnist",
    summary="70,000 handwritten digits, 28x28, grey",
    paper=Paper("Gradient-Based Learning Applied to Document Recognition", 1998, "doi:10.1109/5.726791"),
    describe=partial(_known, DataInfo(shape=(1, 28, 28), train=60_000, test=10_000, classes=10)),
    extractor="mnist-cnn",
    recipe=Recipe(steps=1500),
)

FASHION_MNIST = DatasetSpec(
    target="ganzoo.zoo.datasets.vision:load_fashion_mnist",
    summary="70,000 pictures of clothes, 28x28, grey",
    paper=Paper(
        "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017, "arXiv:1708.07747"
    ),
    describe=partial(_known, DataInfo(shape=(1, 28, 28), train=60_000, test=10_000, classes=10)),
    extractor="inception",
)

CIFAR10 = DatasetSpec(
    target="ganzoo.zoo.datasets.vision:load_cifar10",
    summary="60,000 photographs of ten kinds of animals and vehicles, 32x32, colour",
    paper=Paper("Learning Multiple Layers of Features from Tiny Images", 2009),
    describe=partial(_known, DataInfo(shape=(3, 32, 32), train=50_000, test=10_000, classes=10)),
    extractor="inception",
)

_POINTS = Recipe(batch_size=100, steps=2000)
"""Lin et al.'s batch size; their 400,000 steps of Adam at 1e-4 belong to their networks. 2,000 steps of `mlp` take a
minute of one CPU core."""

RING = DatasetSpec(
    target="ganzoo.zoo.datasets.mixture:load",
    summary="points in the plane, of 8 Gaussians on a circle: shows which modes a generator misses",
    paper=VEEGAN,
    params=RingParams,
    describe=_describe_mixture,
    extractor=_mixture_extractor,
    metrics=("modes", "quality", "fid"),
    samples=2500,  # Srivastava et al., section 4
    recipe=_POINTS,
)

GRID = DatasetSpec(
    target="ganzoo.zoo.datasets.mixture:load",
    summary="points in the plane, of 5x5 Gaussians on a grid: shows which modes a generator misses",
    paper=VEEGAN,
    params=GridParams,
    describe=_describe_mixture,
    extractor=_mixture_extractor,
    metrics=("modes", "quality", "fid"),
    samples=2500,  # Srivastava et al., section 4
    recipe=_POINTS,
)

STACKED_MNIST = DatasetSpec(
    target="ganzoo.zoo.datasets.stacked:load",
    summary="three MNIST digits as the channels of one image, 28x28: 1,000 modes to find",
    paper=Paper("Unrolled Generative Adversarial Networks", 2017, "arXiv:1611.02163"),
    # Lin et al.'s numbers of images (VEEGAN_experiment/config.py); 26,000 samples are Srivastava et al.'s too
    describe=partial(_known, DataInfo(shape=(3, 28, 28), train=128_000, test=26_000, classes=1000)),
    extractor="stacked-mnist-cnn",
    metrics=("modes", "fid"),
    samples=26_000,
)

FOLDER = DatasetSpec(
    target="ganzoo.zoo.datasets.folder:load",
    summary="your own folder of images, resized and cropped; sub-folders are classes",
    params=FolderParams,
    describe=_describe_folder,
    extractor="inception",
)

ZIP = DatasetSpec(
    target="ganzoo.zoo.datasets.archive:load",
    summary="your own zip of images, as StyleGAN's dataset_tool writes it",
    params=ZipParams,
    describe=_describe_zip,
    extractor="inception",
)
