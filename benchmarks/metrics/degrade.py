"""Show which metric sees what: score real images that were spoilt on purpose.

    python benchmarks/metrics/degrade.py --data-root ../shared/data

5,000 test images of CIFAR-10 are scored against the 50,000 training images: as they are, blurred, compressed, with
noise, with five of the ten classes only, and replaced by copies of training images. Prints a table as Markdown.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import ganzoo
from ganzoo.zoo.datasets import archive
from ganzoo.zoo.specs.datasets import ZipParams

COUNT = 5000
METRICS = "fid,is,kid,prdc,fid-infinity,modes"
ROOT = Path(__file__).parents[2]

Sets = Iterator[tuple[str, np.ndarray]]


def each(pixels: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Change every image of uint8 pixels (N, 3, H, W)."""
    return np.stack([np.asarray(change(Image.fromarray(image.transpose(1, 2, 0)))) for image in pixels]).transpose(
        0, 3, 1, 2
    )


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    """Return a function that compresses an image and opens it again."""

    def change(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return change


def spoilt(train: np.ndarray, test: np.ndarray, classes: np.ndarray, rng: np.random.Generator) -> Sets:
    """Yield 5,000 images of each kind, with what was done to them.

    Args:
        train: (50000, 3, 32, 32) uint8.
        test: (10000, 3, 32, 32) uint8.
        classes: (10000,) of the test images.
        rng: draws which ones, and the noise.
    """
    plain = test[rng.permutation(len(test))[:COUNT]]
    copied = rng.permutation(len(train))
    noise = rng.normal(0, 16, plain.shape)
    yield "test images as they are", plain
    yield "blurred, Gaussian of radius 1", each(plain, lambda image: image.filter(ImageFilter.GaussianBlur(1)))
    yield "JPEG of quality 25", each(plain, jpeg(25))
    yield "noise of sd 16", np.clip(plain + noise, 0, 255).astype(np.uint8)
    yield "five of ten classes", test[classes < 5]
    yield "5,000 copies of training images", train[copied[:COUNT]]
    yield "50 training images, 100 copies of each", train[copied[:50]].repeat(100, axis=0)


def main() -> None:
    """Write the sets to a temporary folder, score them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--extractor", default="cifar10-resnet")
    parser.add_argument("--metrics", default=METRICS)
    arguments = parser.parse_args()
    zips = ZipParams(path="cifar10-train-32x32.zip", test="cifar10-test-32x32.zip")
    train = archive.load(zips, arguments.data_root, "train")
    test = archive.load(zips, arguments.data_root, "test")
    assert test.labels is not None
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, str] = {}
        for i, (name, pixels) in enumerate(spoilt(train.pixels, test.pixels, test.labels, np.random.default_rng(0))):
            file = Path(folder) / f"{i}.npy"
            np.save(file, pixels)
            names[str(file)] = name
        found = ganzoo.score(
            *names,
            against=arguments.data_root / zips.path,
            extractor=arguments.extractor,
            metrics=arguments.metrics,
            data_root=arguments.data_root,
            tell=lambda what, passed: print(f"{names.get(what, what)}: {passed:,}", file=sys.stderr),
        )
    print()
    header, rows = found.header(), found.cells()
    print(f"| {' | '.join(header)} |\n|---|{'---:|' * (len(header) - 1)}")
    for label, *values in rows:
        print(f"| {' | '.join([names.get(label, label), *values])} |")
    for note in found.notes():
        print(f"\n{note}")


if __name__ == "__main__":
    main()
