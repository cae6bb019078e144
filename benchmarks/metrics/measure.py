"""How fast ganzoo scores, beside pytorch-fid, torch-fidelity and torchmetrics: the same images, weights and machine.

    pip install torch-fidelity torchmetrics
    python benchmarks/metrics/measure.py [--rounds 5] [--images 256] [--parts trace,network] [--busy]

All run once a round in turn, so that a slow moment hits every one of them; ganzoo goes first and pays for cold caches.
A ratio is taken within its round, to ganzoo under the same protocol; the table gives their median and range.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pytorch_fid import fid_score
from pytorch_fid.inception import InceptionV3
from scipy import linalg
from threadpoolctl import threadpool_limits
from torch_fidelity import calculate_metrics, utils
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

import ganzoo
from ganzoo.data.decode import Source, decode_all
from ganzoo.engine.machine import environment
from ganzoo.evaluate.frechet import frechet_distance, with_root
from ganzoo.evaluate.moments import moments
from ganzoo.zoo.extractors.inception import inception, weights_path
from ganzoo.zoo.specs.extractors import InceptionParams

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from inception_weights import save_random_inception

COUNT, DIMENSION = 5_000, 2_048
SIZE = 32
WORKERS = os.cpu_count() or 1
PACKAGES = ("ganzoo-core", "pytorch-fid", "torch-fidelity", "torchmetrics", "torch", "numpy", "scipy", "pillow")
TF_COMPAT = "inception:protocol=tf-compat"


@dataclass(frozen=True)
class Contender:
    """One way to the same number."""

    name: str
    run: Callable[[], float]
    beside: str = "ganzoo"
    """The contender that its time is divided by, and whose answer it should give."""


def main() -> None:
    """Measure the parts that were asked for, and print what they depend on and a table of each."""
    parts = {"trace": trace, "distance": distance, "network": network, "folders": whole}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256, help="a folder; there are two")
    parser.add_argument("--busy", action="store_true", help="one thread, processor time: where others compute as well")
    parser.add_argument("--parts", default=",".join(parts), help="default: %(default)s")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # peers use what NumPy, SciPy and PyTorch have deprecated
    threads = 1 if options.busy else WORKERS
    torch.set_num_threads(threads)
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory() as home, spared_disp(), threadpool_limits(threads):
        os.environ.update(TORCH_HOME=home, GANZOO_CACHE=str(Path(home, "cache")))
        folders = [make_folder(Path(home, name), options.images, seed) for seed, name in enumerate(("real", "fake"))]
        save_random_inception(Path(home), torch.from_numpy(pictures(8, seed=2)).permute(0, 3, 1, 2))
        for name in options.parts.split(","):
            show(
                name,
                compete(parts[name](folders), options.rounds, processor_time if options.busy else time.perf_counter),
            )


def describe() -> str:
    """Return the machine, how busy it is, and all versions."""
    machine = environment(torch.device("cpu"), torch.get_num_threads())
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{machine['device']}, {machine['threads']} threads, load {load}; Python {machine['python']}, {versions}"


def compete(
    contenders: Sequence[Contender], rounds: int, clock: Callable[[], float]
) -> dict[Contender, tuple[list[float], float]]:
    """Return the seconds of every contender in every round, and its answer."""
    found: dict[Contender, tuple[list[float], float]] = {}
    for _ in range(rounds):
        for contender in contenders:
            started = clock()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                answer = contender.run()
            seconds = clock() - started
            times, _ = found.setdefault(contender, ([], answer))
            times.append(seconds)
    return found


def show(part: str, found: dict[Contender, tuple[list[float], float]]) -> None:
    """Print one part's table."""
    print(f"\n| {part} | median, s | times ganzoo | range | answer, relative to ganzoo's |\n|---|---:|---:|---:|---:|")
    named = {contender.name: value for contender, value in found.items()}
    for contender, (seconds, answer) in found.items():
        base, expected = named[contender.beside]
        ratios = [one / other for one, other in zip(seconds, base, strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"| {contender.name} | {statistics.median(seconds):.2f} | {statistics.median(ratios):.2f} | {spread} "
            f"| {answer / expected - 1:+.0e} |",
            flush=True,
        )


def processor_time() -> float:
    """Return the seconds that processors have worked for this process and for its children that have ended."""
    return sum(os.times()[:4])


# The parts ----------------------------------------------------------------------------------------------------------


def trace(folders: Sequence[Path]) -> list[Contender]:
    """Compare the trace of the root of a product of covariances, from the moments on."""
    one, two = (moments(features(seed)) for seed in (0, 1))
    rooted, product = with_root(one), one.covariance @ two.covariance
    rest = float(np.sum((one.mean - two.mean) ** 2) + np.trace(one.covariance) + np.trace(two.covariance))
    eigenvalues = torch.linalg.eigvals
    return [
        Contender("ganzoo", lambda: frechet_distance(one, two)),
        Contender("ganzoo, root kept", lambda: frechet_distance(rooted, two)),
        Contender("pytorch-fid: scipy.linalg.sqrtm", lambda: rest - 2 * np.trace(linalg.sqrtm(product)).real),
        Contender("torch-fidelity: numpy.linalg.eigvals", lambda: rest - 2 * root_trace(np.linalg.eigvals(product))),
        Contender(
            "torchmetrics: torch.linalg.eigvals",
            lambda: rest - 2 * root_trace(eigenvalues(torch.from_numpy(product)).numpy()),
        ),
    ]


def distance(folders: Sequence[Path]) -> list[Contender]:
    """Compare the whole distance, from arrays of features on."""
    one, two = features(0), features(1)
    return [
        Contender("ganzoo", lambda: frechet_distance(moments(one), moments(two))),
        Contender("pytorch-fid", lambda: pytorch_fid_distance(one, two)),
        Contender("torch-fidelity", lambda: torch_fidelity_distance(one, two)),
        Contender("torchmetrics", lambda: torchmetrics_distance(one, two)),
    ]


def network(folders: Sequence[Path]) -> list[Contender]:
    """Compare decoding and the network alone; the networks are loaded beforehand."""
    files = sorted(folders[0].iterdir())
    ours, like_tf = inception(InceptionParams()), inception(InceptionParams("tf-compat"))
    theirs = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[DIMENSION]])
    options = {**fidelity_options(folders), "verbose": False}
    fidelity = utils.create_feature_extractor("inception-v3-compat", ["2048"], **options)

    def by_ganzoo(extractor: ganzoo.api.Extractor) -> float:
        pixels = decode_all([Source(str(file), file.read_bytes) for file in files], (3, SIZE, SIZE), 0, 0)
        return size_of(extractor(torch.from_numpy(pixels)).features.numpy())

    def by_torch_fidelity() -> float:
        return size_of(utils.extract_featuresdict_from_input_id(1, fidelity, **options)["2048"].numpy())

    return [
        Contender("ganzoo", lambda: by_ganzoo(ours)),
        Contender("pytorch-fid", lambda: size_of(fid_score.get_activations(files, theirs, num_workers=WORKERS))),
        Contender("ganzoo, tf-compat", lambda: by_ganzoo(like_tf), "ganzoo, tf-compat"),
        Contender("torch-fidelity", by_torch_fidelity, "ganzoo, tf-compat"),
    ]


def whole(folders: Sequence[Path]) -> list[Contender]:
    """Compare everything: two folders of PNG files to one number, the network's loading too."""
    real, fake = folders
    paths = [str(real), str(fake)]
    return [
        Contender("ganzoo", lambda: ganzoo_score(real, fake, "inception")),
        Contender(
            "pytorch-fid",
            lambda: fid_score.calculate_fid_given_paths(paths, 50, "cpu", DIMENSION, num_workers=WORKERS),
        ),
        Contender("ganzoo, tf-compat", lambda: ganzoo_score(real, fake, TF_COMPAT), "ganzoo, tf-compat"),
        Contender(
            "torch-fidelity",
            lambda: calculate_metrics(**fidelity_options(folders), fid=True)["frechet_inception_distance"],
            "ganzoo, tf-compat",
        ),
        Contender("torchmetrics", lambda: torchmetrics_score(real, fake), "ganzoo, tf-compat"),
    ]


# The contenders -----------------------------------------------------------------------------------------------------


def ganzoo_score(real: Path, fake: Path, extractor: str) -> float:
    """Return what `ganzoo score FAKE --against REAL --metrics fid` does; it adds a real-vs-real floor."""
    return ganzoo.score(fake, against=real, extractor=extractor, metrics="fid").rows[0].score["fid"]


def pytorch_fid_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Return the distance by the lines of `calculate_activation_statistics` and the function after it."""
    statistics_of = [(np.mean(x, axis=0), np.cov(x, rowvar=False)) for x in (one, two)]
    return float(fid_score.calculate_frechet_distance(*statistics_of[0], *statistics_of[1]))


def torch_fidelity_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Return the distance by torch-fidelity's two functions."""
    first, second = (fid_features_to_statistics(torch.from_numpy(x)) for x in (one, two))
    return fid_statistics_to_metric(first, second, verbose=False)["frechet_inception_distance"]


def torchmetrics_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Return the distance by the metric, behind a network that passes its features through."""
    through = torch.nn.Identity()
    through.num_features = DIMENSION  # spares the metric a trial pass
    metric = FrechetInceptionDistance(through)
    metric.update(torch.from_numpy(one), real=True)
    metric.update(torch.from_numpy(two), real=False)
    return metric.compute().item()


def torchmetrics_score(real: Path, fake: Path) -> float:
    """Return the metric of two folders, decoded in batches as its manual feeds it; antialiasing is its own default."""
    metric = FrechetInceptionDistance(feature_extractor_weights_path=str(weights_path()), antialias=False)
    for folder, is_real in ((real, True), (fake, False)):
        files = sorted(folder.iterdir())
        for start in range(0, len(files), 64):
            images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files[start : start + 64]])
            metric.update(torch.from_numpy(images).permute(0, 3, 1, 2), real=is_real)
    return metric.compute().item()


def fidelity_options(folders: Sequence[Path]) -> dict[str, object]:
    """Return torch-fidelity's options for two folders; it may keep nothing from one run to the next."""
    return {
        "input1": str(folders[0]),
        "input2": str(folders[1]),
        "feature_extractor_weights_path": str(weights_path()),
        "cuda": False,
        "cache": False,
        "verbose": False,
    }


@contextlib.contextmanager
def spared_disp() -> Iterator[None]:
    """Let pytorch-fid 0.3.0 run on any SciPy: it asks sqrtm for `disp=False`, which SciPy 1.18 no longer knows."""
    original = fid_score.linalg

    class Linalg:
        @staticmethod
        def sqrtm(matrix: np.ndarray, disp: bool = True) -> object:
            root = linalg.sqrtm(matrix)
            return root if disp else (root, None)

    fid_score.linalg = Linalg
    try:
        yield
    finally:
        fid_score.linalg = original


# What they work on --------------------------------------------------------------------------------------------------


def features(seed: int) -> np.ndarray:
    """Return float32 features (5000, 2048) of falling variances, correlated, all above 0, as pooled activations are."""
    mixing = np.random.default_rng(9).normal(size=(DIMENSION, DIMENSION)) / np.arange(1, DIMENSION + 1)[:, None]
    drawn = np.random.default_rng(seed).normal(size=(COUNT, DIMENSION)) @ mixing
    return np.abs(drawn + 0.1 * seed).astype(np.float32)


def pictures(count: int, seed: int) -> np.ndarray:
    """Return smooth colours with a little noise, uint8 of shape (count, 32, 32, 3); seeds differ in brightness."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 180, (count, 4, 4, 3)) + 20 * seed
    smooth = colours.repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)
    return np.clip(smooth + rng.normal(0, 10, smooth.shape), 0, 255).astype(np.uint8)


def make_folder(folder: Path, count: int, seed: int) -> Path:
    """Fill a folder with PNG files."""
    folder.mkdir()
    for number, picture in enumerate(pictures(count, seed)):
        Image.fromarray(picture).save(folder / f"{number:05}.png")
    return folder


def root_trace(eigenvalues: np.ndarray) -> float:
    """Return the sum of the roots of a product's eigenvalues."""
    return float(np.sqrt(eigenvalues.astype(np.complex128)).real.sum())


def size_of(found: np.ndarray) -> float:
    """Return the norm of features, to tell whether they agree."""
    return float(np.linalg.norm(found.astype(np.float64)))


if __name__ == "__main__":
    main()
