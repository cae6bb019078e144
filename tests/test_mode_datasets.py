"""Datasets whose modes can be counted: mixtures in the plane and stacked MNIST, their extractors and their pictures."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.api import DatasetSpec, Extracted, Images, NoParams
from ganzoo.cli.main import main
from ganzoo.data.load import load_dataset
from ganzoo.errors import IncompatibleError, ParameterError
from ganzoo.params import build, parse
from ganzoo.registry.lookup import build_target, installed
from ganzoo.results.picture import save_scatter
from ganzoo.zoo.datasets import mixture, stacked
from ganzoo.zoo.extractors.classifier import mnist_cnn
from ganzoo.zoo.extractors.mixture import MixtureExtractor
from ganzoo.zoo.extractors.stacked import StackedExtractor, stacked_mnist_cnn
from ganzoo.zoo.specs import datasets as specs
from ganzoo.zoo.specs.datasets import GridParams, RingParams
from ganzoo.zoo.specs.extractors import MixtureParams

MNIST = Path(os.environ.get("GANZOO_DATA", Path(__file__).parents[2] / "shared" / "data")) / "MNIST"
needs_mnist = pytest.mark.skipif(not MNIST.exists(), reason=f"{MNIST} is absent; $GANZOO_DATA names a folder with it")

RING = MixtureParams("ring", 8, 0.01)
GRID = MixtureParams("grid", 25, 0.05)
ANYWHERE = Path()


def sha256(*arrays: np.ndarray | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        assert array is not None
        digest.update(array.tobytes())
    return digest.hexdigest()


def points(*pairs: tuple[float, float]) -> torch.Tensor:
    """Return float32 points of shape (N, 2, 1, 1)."""
    return torch.tensor(pairs, dtype=torch.float32)[:, :, None, None]


def logits(found: Extracted) -> torch.Tensor:
    assert found.logits is not None
    return found.logits


def modes(found: Extracted) -> list[int]:
    return logits(found).argmax(1).tolist()


# Mixtures -----------------------------------------------------------------------------------------------------------


def test_the_ring_is_that_of_the_papers():
    """Lin et al.'s release: eight modes at angles of 45 degrees, on a circle of radius 1."""
    half = 0.5**0.5
    corners = [(1, 0), (half, half), (0, 1), (-half, half), (-1, 0), (-half, -half), (0, -1), (half, -half)]
    assert mixture.centres(RING) == pytest.approx(np.array(corners), abs=1e-12)


def test_the_grid_is_that_of_the_papers():
    """Both releases: {-4, -2, 0, 2, 4} squared."""
    expected = [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]
    assert mixture.centres(GRID).tolist() == [list(map(float, pair)) for pair in expected]


@pytest.mark.parametrize("params", [RingParams(), GridParams(), RingParams(5, 0.05), GridParams(2, 0.01)], ids=str)
@pytest.mark.parametrize("split", ["train", "test"])
def test_points_spread_around_their_modes_as_stated(params: Any, split: Any):
    """Every mode has its share, its centre and its sd, within five standard errors of each."""
    pixels, labels = mixture.load(params, ANYWHERE, split)
    assert labels is not None
    unit, sd, count = params.mixture.unit, params.mixture.sd, params.mixture.modes
    places = pixels[:, :, 0, 0] / unit
    for mode, centre in enumerate(mixture.centres(params.mixture)):
        own = places[labels == mode]
        share = 1 / count
        assert len(own) / len(places) == pytest.approx(share, abs=5 * (share * (1 - share) / len(places)) ** 0.5)
        assert own.mean(0) == pytest.approx(centre, abs=5 * sd / len(own) ** 0.5)
        assert own.std(0) == pytest.approx(np.full(2, sd), rel=5 / (2 * len(own)) ** 0.5)
        assert abs(np.corrcoef(own.T)[0, 1]) < 5 / len(own) ** 0.5


@pytest.mark.parametrize("params", [RingParams(sd=0.05), GridParams(sd=0.2), GridParams(2, 0.05)], ids=str)
def test_the_widest_modes_stay_within_reach_of_tanh(params: Any):
    assert all(np.abs(mixture.load(params, ANYWHERE, split).pixels).max() < 0.99 for split in ("train", "test"))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (RingParams(), "9a872d11356f00c9cd1426e7c80437a0b278aafa558172c1b859ffd6575e975f"),
        (GridParams(), "c47082d8267a683fa95c75d7f0a930921b07fe9f9749fb3757db0fa94f40144b"),
    ],
    ids=str,
)
def test_everybody_has_the_very_same_points(params: Any, expected: str):
    """Where this fails, NumPy's stream has changed: scores from before and after are of different data."""
    train, test = (mixture.load(params, ANYWHERE, split) for split in ("train", "test"))
    assert sha256(*train, *test) == expected


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_a_mixture_is_as_described_and_its_splits_share_no_point(name: str):
    part = ganzoo.plan(model="mlp", loss="bce", dataset=name).runs[0].dataset
    data = load_dataset(part, ANYWHERE)  # checks shapes, counts and dtype against the spec
    assert data.test is not None
    assert data.train.pixels.dtype == np.float32
    assert {len(images.pixels) for images in (data.train, data.test)} == {100_000, 10_000}
    train, test = (set(map(tuple, images.pixels[:, :, 0, 0].tolist())) for images in (data.train, data.test))
    assert not train & test


@pytest.mark.parametrize(
    ("dataset", "same", "message"),
    [
        ("ring:modes=1", "mixture:modes=1", "modes must be 2 to 1000, not 1"),
        ("ring:sd=0", "mixture:sd=0", "sd=0 must be above 0 and at most 0.05 for 8 modes"),
        ("ring:sd=0.06", "mixture:sd=0.06", "sd=0.06 must be above 0 and at most 0.05"),
        ("ring:modes=105", "mixture:modes=105", "sd=0.01 must be above 0 and at most 0.0099 for 105 modes"),
        ("grid:sd=0.21", "mixture:layout=grid,modes=25,sd=0.21", "sd=0.21 must be above 0 and at most 0.2"),
        ("grid:side=1", "mixture:layout=grid,modes=1", "must be 2 to"),
        ("ring:modes=8.5", "mixture:layout=grid,modes=8", "modes(=8 is not a square| takes int)"),
    ],
)
def test_mixtures_that_make_no_sense_are_refused_as_data_and_as_extractor(dataset: str, same: str, message: str):
    wanted: list[tuple[Any, str]] = [("dataset", dataset), ("extractor", same)]
    for kind, text in wanted:
        name, values = parse(text)
        with pytest.raises(ParameterError, match=message):
            build(installed().get(kind, name).usable_spec.params, values, name)


# Modes of a mixture -------------------------------------------------------------------------------------------------


def extractor_of(spec: DatasetSpec, params: Any) -> MixtureExtractor:
    """Return the feature network that a dataset names, built from the text as the plan does."""
    assert callable(spec.extractor)
    name, values = parse(spec.extractor(params))
    component = installed().get("extractor", name)
    return build_target(component)(build(component.usable_spec.params, values, name))


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        (specs.RING, RingParams()), (specs.RING, RingParams(20, 0.004)),
        (specs.GRID, GridParams()), (specs.GRID, GridParams(3, 0.1)),
    ],
    ids=["ring of 8", "ring of 20", "grid of 5", "grid of 3"],
)  # fmt: skip
def test_the_extractor_of_a_mixture_knows_its_labels_and_its_quality(spec: DatasetSpec, params: Any):
    """In two dimensions, 1 - exp(-9/2) = 98.9% of a Gaussian lie within 3 sd."""
    pixels, labels = mixture.load(params, ANYWHERE, "test")
    found = extractor_of(spec, params)(torch.tensor(pixels))
    assert found.good is not None
    assert logits(found).shape == (10_000, params.mixture.modes)
    right = np.array(modes(found)) == labels
    assert right[found.good.numpy()].all()
    assert found.good.double().mean().item() == pytest.approx(1 - np.exp(-4.5), abs=0.004)
    assert np.array_equal(found.features.numpy(), pixels[:, :, 0, 0])


def test_a_sample_is_good_below_three_standard_deviations_from_the_nearest_mode():
    extractor, sd = MixtureExtractor(GRID), 0.05 * 0.2
    diagonal = 2.9 * sd / 2**0.5
    found = extractor(
        points((0, 0), (0, 2.99 * sd), (3.01 * sd, 0), (diagonal, diagonal), (2.9 * sd, 2.9 * sd), (0.8, 0.8), (1, 1))
    )
    assert found.good is not None
    assert found.good.tolist() == [True, True, False, True, False, True, False]
    assert modes(found) == [12, 12, 12, 12, 12, 24, 24]


def test_logits_are_log_densities_up_to_one_constant():
    extractor = MixtureExtractor(RING)
    x = points((0.8, 0.0), (0.75, 0.1), (-0.3, 0.2))
    gaussians = torch.distributions.MultivariateNormal(
        extractor.centres.double(), torch.eye(2, dtype=torch.float64) * (0.01 * 0.8) ** 2
    )
    expected = gaussians.log_prob(x.flatten(1)[:, None].double())  # (N, 1, 2) -> (N, K)
    found = logits(extractor(x))
    torch.testing.assert_close(found - found[:, :1], (expected - expected[:, :1]).float(), rtol=1e-4, atol=1e-2)


def test_extractors_of_different_mixtures_have_different_hashes():
    described = [RING, GRID, MixtureParams("ring", 9, 0.01), MixtureParams("ring", 8, 0.02), MixtureParams("ring", 25)]
    assert len({MixtureExtractor(params).sha256 for params in described}) == len(described)
    assert MixtureExtractor(RING).sha256 == MixtureExtractor(MixtureParams()).sha256


@pytest.mark.parametrize(
    "images",
    [torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, 2, 1, 1, dtype=torch.uint8), torch.zeros(4, 2)],
)
def test_images_have_no_place_in_a_mixture(images: torch.Tensor):
    with pytest.raises(IncompatibleError, match=r"float32 of shape \(N, 2, 1, 1\).*choose the dataset ring or grid"):
        MixtureExtractor(RING)(images)


# Stacked MNIST ------------------------------------------------------------------------------------------------------


@pytest.fixture
def digits() -> Images:
    """Thirty images: number k is filled with k and shows the digit k % 10."""
    return Images(np.arange(30, dtype=np.uint8)[:, None, None, None].repeat(28, 2).repeat(28, 3), np.arange(30) % 10)


def test_a_class_is_the_digits_read_from_the_first_channel_to_the_last(digits: Images):
    pixels, labels = stacked.stack(digits, np.array([[1, 12, 23], [9, 0, 20], [0, 10, 7]]))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (3, 3, 28, 28))
    assert pixels[:, :, 5, 5].tolist() == [[1, 12, 23], [9, 0, 20], [0, 10, 7]]
    assert labels is not None
    assert (labels.dtype, labels.tolist()) == (np.int64, [123, 900, 7])


@pytest.mark.parametrize(
    ("split", "digits_in_it", "expected"),
    [
        ("train", 60_000, "f8d3bda445fe4f459e3bc9d5843539264f2c76d73b14a64a31a111c1c264075c"),
        ("test", 10_000, "acaa1982be4a9cb1c3b1f594ccdffd1009236b02388e73d2a37f2865eac972ba"),
    ],
)
def test_everybody_stacks_the_very_same_digits(split: Any, digits_in_it: int, expected: str):
    """Where this fails, NumPy's stream has changed: scores from before and after are of different data."""
    chosen = stacked.triples(digits_in_it, split)
    info = specs.STACKED_MNIST.describe(NoParams(), ANYWHERE)
    assert chosen.shape == (getattr(info, split), 3)
    assert (chosen.min(), chosen.max()) == (0, digits_in_it - 1)
    assert sha256(chosen) == expected


def test_stacked_images_are_kept_until_the_digits_change(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(stacked, "COUNTS", {"train": 50, "test": 20})
    monkeypatch.setattr(stacked, "load_mnist", lambda params, root, split: digits)
    first = stacked.load(NoParams(), ANYWHERE, "train")
    monkeypatch.setattr(stacked, "stack", lambda *_: pytest.fail("stacked again"))
    again = stacked.load(NoParams(), ANYWHERE, "train")
    assert isinstance(again.pixels, np.memmap)
    assert sha256(*first) == sha256(*again)
    with pytest.raises(pytest.fail.Exception):
        stacked.load(NoParams(), ANYWHERE, "test")
    digits.pixels[0, 0, 0, 0] = 255
    with pytest.raises(pytest.fail.Exception):
        stacked.load(NoParams(), ANYWHERE, "train")


@needs_mnist
@pytest.mark.slow
def test_the_extractor_of_stacked_mnist_agrees_with_its_labels():
    info = specs.STACKED_MNIST.describe(NoParams(), MNIST.parent)
    pixels, labels = stacked.load(NoParams(), MNIST.parent, "test")
    assert labels is not None
    assert (pixels.dtype, pixels.shape) == (np.uint8, (info.test, *info.shape))
    assert (labels.min(), labels.max(), len(np.unique(labels))) == (0, info.classes - 1, info.classes)
    found = stacked_mnist_cnn(NoParams())(torch.tensor(pixels[:2000]))
    assert np.mean(np.array(modes(found)) == labels[:2000]) >= 0.98


def test_stacked_logits_are_the_joint_probability_of_three_digits():
    images = torch.randint(0, 256, (5, 3, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    single, joint = mnist_cnn(NoParams()), stacked_mnist_cnn(NoParams())(images)
    a, b, c = (single(images[:, [channel]]) for channel in range(3))
    assert logits(joint).shape == (5, 1000)
    probability = torch.einsum("na,nb,nc->nabc", *(logits(digit).softmax(1) for digit in (a, b, c))).flatten(1)
    torch.testing.assert_close(logits(joint).exp(), probability)
    torch.testing.assert_close(joint.features, torch.cat([a.features, b.features, c.features], 1))
    assert joint.good is None


def test_the_stacked_extractor_is_named_by_its_classifiers_weights():
    digits, other = mnist_cnn(NoParams()), MixtureExtractor(RING)
    named = [digits.sha256, other.sha256, StackedExtractor(digits).sha256, StackedExtractor(other).sha256]
    assert len(set(named)) == 4
    assert stacked_mnist_cnn(NoParams()).sha256 == StackedExtractor(digits).sha256


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.zeros(2, 3, 28, 28)])
def test_other_images_than_stacked_ones_are_refused(images: torch.Tensor):
    with pytest.raises(IncompatibleError, match=r"uint8 images of three channels.*choose the dataset stacked-mnist"):
        stacked_mnist_cnn(NoParams())(images)


# Pictures -----------------------------------------------------------------------------------------------------------


def seen(file: Path) -> np.ndarray:
    """Return a picture as (H, W, 3)."""
    with Image.open(file) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_scatter_shows_generated_points_over_real_ones(tmp_path: Path):
    save_scatter(tmp_path / "x.png", points((0.5, 0.5)), points((0.5, 0.5), (-0.5, -0.5)))
    picture = seen(tmp_path / "x.png")
    height, width, _ = picture.shape
    assert 250 <= height == width <= 300
    right, left, top, bottom = (round((1 + at) / 2 * width) for at in (0.5, -0.5, -0.5, 0.5))
    blue = picture[top, right]  # y points up
    assert blue[2] > blue[0] + 50
    grey = picture[bottom, left]
    assert np.ptp(grey) == 0
    assert grey[0] < 255
    assert (picture[height // 2, width // 2] == 255).all()
    assert (picture[top, left] == 255).all()


@pytest.mark.parametrize("drawn", [np.zeros((3, 1, 1, 1)), np.zeros((3, 2)), np.zeros((3, 7, 1, 1))], ids=np.shape)
def test_a_scatter_needs_no_real_points_and_takes_any_dimension(drawn: np.ndarray, tmp_path: Path):
    save_scatter(tmp_path / "x.png", drawn)
    picture = seen(tmp_path / "x.png")
    middle = picture[len(picture) // 2, len(picture) // 2]
    assert middle[2] > middle[0] + 50


# Whole runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one small generator on either mixture and on digits; return the results folder."""
    out = tmp_path_factory.mktemp("modes") / "out"
    ganzoo.bench(
        model="mlp:generator=16,discriminator=16", loss="bce", dataset=["ring", "grid", "digits"], samples=200,
        evaluations=2, recipe={"steps": 20}, device="cpu", out=out,
    )  # fmt: skip
    return out


def run_of(bench: Path, dataset: str) -> Path:
    return next(bench.glob(f"{dataset}-*/seed-0"))


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    """Run the command line in this process and return what it printed."""
    monkeypatch.setattr("sys.argv", ["ganzoo", *map(str, words)])
    main()
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_grid_on_mixtures_counts_modes_and_quality(
    bench: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    printed = shown(capsys, monkeypatch, "report", bench)
    for title in ("modes of 8 last", "modes of 25 last", "KL last", "high quality last"):
        assert title in printed
    for dataset, count in (("ring", 8), ("grid", 25)):
        floor = json.loads((run_of(bench, dataset) / "result.json").read_text())["floor"]
        assert floor["modes"] == count
        assert floor["quality"] > 0.95
        assert seen(run_of(bench, dataset) / "samples.png").std() > 0


@pytest.mark.slow
def test_points_are_sampled_unrounded_as_an_array_and_as_a_picture(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run = run_of(bench, "ring")
    drawn = ganzoo.load(run).sample(300, seed=4)
    assert (drawn.dtype, drawn.shape) == (torch.float32, (300, 2, 1, 1))
    assert drawn.abs().max() <= 1
    assert len(drawn.unique()) > 500
    out = tmp_path / "new" / "points.npy"
    assert "300 points: " in shown(capsys, monkeypatch, "sample", run, "--n", 300, "--seed", 4, "--out", out)
    assert np.array_equal(np.load(out), drawn.flatten(1))
    shown(capsys, monkeypatch, "sample", run, "--out", tmp_path / "points.PNG")
    assert seen(tmp_path / "points.PNG").std() > 0


@pytest.mark.slow
def test_points_fill_no_folder(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.argv", ["ganzoo", "sample", str(run_of(bench, "grid")), "--out", str(tmp_path / "folder")])
    with pytest.raises(SystemExit):
        main()
    assert "this run draws points: give NAME.npy for an array, or NAME.png" in capsys.readouterr().err
    assert not (tmp_path / "folder").exists()


@pytest.mark.slow
def test_images_are_sampled_as_an_array_too(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run = run_of(bench, "digits")
    shown(capsys, monkeypatch, "sample", run, "--n", 5, "--out", tmp_path / "images.npy")
    images = np.load(tmp_path / "images.npy")
    assert (images.dtype, images.shape) == (np.uint8, (5, 1, 8, 8))
    assert np.array_equal(images, ganzoo.load(run).sample(5))


@pytest.mark.slow
def test_a_run_on_points_is_scored_by_the_modes_of_the_real_ones(bench: Path):
    """Whichever way the network is named, and also against another mixture than the run was trained on."""
    (own,) = ganzoo.score(run_of(bench, "grid"), device="cpu").rows
    (named,) = ganzoo.score(run_of(bench, "grid"), extractor="mixture", device="cpu").rows
    assert own.score == named.score
    assert ganzoo.score(run_of(bench, "ring"), against="grid", device="cpu").protocol.classes == 25


def test_a_dataset_of_points_is_scored_by_its_own_modes():
    """Every held-out point of the grid is near a mode of the grid, and few are near one of a ring."""
    found = ganzoo.score("grid@test", against="grid", extractor="mixture", metrics="modes,quality", device="cpu")
    assert found.rows[0].score["modes"] == 25
    assert found.rows[0].score["quality"] > 0.98
