"""The scores against those of other packages: on the same features, and from image files with the same network.

What differs by definition, and is made equal here before the comparison:

- pytorch-fid, clean-fid: both ask SciPy's sqrtm for an argument that 1.17 deprecates and 1.18 has removed, so sqrtm is
  given to them without it. clean-fid's KID draws from NumPy's global generator and has no standard deviation.
- torch-fidelity: images are resized as TensorFlow 1 did and scaled by (x - 128) / 128 instead of 2 x / 255 - 1. Its
  splits and subsets are drawn by another generator. Precision and recall take k = 3 and distance <= radius.
- torchmetrics: its Inception is torch-fidelity's, resized with antialiasing. Splits are `chunk`s of torch's global
  generator, and the deviation over splits is divided by their number less one. Kernels are in the dtype of the
  features, float32 with its own Inception. Covariances come from sums of squares, exact only near the origin.
- prdc: nothing, but that its own distances round, so that ties fall either way.

DESIGN.md's protocol says why each is as it is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from inception_weights import save_random_inception
from PIL import Image
from scipy import linalg
from torch import Tensor

from ganzoo.evaluate.classifier_score import classifier_score
from ganzoo.evaluate.frechet import frechet_distance
from ganzoo.evaluate.kernel_distance import kernel_distance, squared_mmd
from ganzoo.evaluate.manifold import manifold
from ganzoo.evaluate.moments import moments
from ganzoo.zoo.extractors.inception import inception, weights_path
from ganzoo.zoo.specs.extractors import InceptionParams


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def peer(module: str) -> Any:
    return pytest.importorskip(module, reason=f"{module} is not installed: pip install --group peers")


def features(seed: int, count: int, width: int) -> np.ndarray:
    """Correlated float32 features that are not centred, like those of a network."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / np.sqrt(width)
    return np.maximum(rng.normal(0.1 * seed, 1, size=(count, width)) @ mixing + 0.5, 0).astype(np.float32)


class Given(torch.nn.Module):
    """A feature network for torchmetrics that takes features for images."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, images: Tensor) -> Tensor:
        return images


# The Fréchet distance -----------------------------------------------------------------------------------------------


def distance(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(moments(x), moments(y))


def with_sqrtm(module: Any, patch: pytest.MonkeyPatch) -> Any:
    """Let a peer call `linalg.sqrtm(matrix, disp=False)`, as SciPy knew it up to 1.17."""
    patch.setattr(module, "linalg", SimpleNamespace(sqrtm=lambda matrix, disp: (linalg.sqrtm(matrix), None)))
    return module


def pytorch_fid(x: np.ndarray, y: np.ndarray, patch: pytest.MonkeyPatch) -> float:
    theirs = with_sqrtm(peer("pytorch_fid.fid_score"), patch)
    return theirs.calculate_frechet_distance(x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False))


def clean_fid(x: np.ndarray, y: np.ndarray, patch: pytest.MonkeyPatch) -> float:
    return with_sqrtm(peer("cleanfid.fid"), patch).fid_from_feats(x, y)


def torch_fidelity(x: np.ndarray, y: np.ndarray, patch: pytest.MonkeyPatch) -> float:
    theirs = peer("torch_fidelity.metric_fid")
    one, two = (theirs.fid_features_to_statistics(torch.from_numpy(part)) for part in (x, y))
    return theirs.fid_statistics_to_metric(one, two, verbose=False)["frechet_inception_distance"]


def torchmetrics(x: np.ndarray, y: np.ndarray, patch: pytest.MonkeyPatch) -> float:
    metric = peer("torchmetrics.image.fid").FrechetInceptionDistance(Given(x.shape[1]))
    for part, real in ((x, True), (y, False)):
        for batch in torch.from_numpy(part).split(100):
            metric.update(batch, real=real)
    return metric.compute().item()


@pytest.mark.parametrize("theirs", [pytorch_fid, clean_fid, torch_fidelity, torchmetrics])
@pytest.mark.parametrize("width", [2, 64])
def test_the_frechet_distance(theirs: Callable[..., float], width, monkeypatch):
    x, y = (features(seed, count, width) for seed, count in ((1, 500), (2, 400)))
    expected = theirs(x.astype(np.float64), y.astype(np.float64), monkeypatch)
    assert expected > 0
    assert distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert distance(y, x) == pytest.approx(expected, rel=1e-6)


# The inception score ------------------------------------------------------------------------------------------------


def logits(count: int, classes: int = 20) -> np.ndarray:
    return 3 * features(1, count, classes)


def test_the_inception_score_of_torch_fidelity():
    theirs, x = peer("torch_fidelity.metric_isc"), logits(500)
    shuffled = torch.from_numpy(x[np.random.default_rng(0).permutation(500)])
    found = theirs.isc_features_to_metric(shuffled, splits=10, shuffle=False)
    expected = (found["inception_score_mean"], found["inception_score_std"])
    assert expected[1] > 0.01
    assert classifier_score(x) == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all:UserWarning")
def test_the_inception_score_of_torchmetrics():
    x = torch.from_numpy(logits(500)).double()
    metric = peer("torchmetrics.image.inception").InceptionScore(Given(20), splits=10)
    metric.update(x)
    torch.manual_seed(0)
    mean, sd = (value.item() for value in metric.compute())
    torch.manual_seed(0)
    parts = [classifier_score(part.numpy(), splits=1)[0] for part in x[torch.randperm(500)].chunk(10)]
    assert mean == pytest.approx(np.mean(parts), rel=1e-6)
    assert sd == pytest.approx(np.std(parts, ddof=1), rel=1e-6)


# The kernel distance ------------------------------------------------------------------------------------------------


def torch_fidelity_kid(x: np.ndarray, y: np.ndarray) -> float:
    theirs = peer("torch_fidelity.metric_kid")
    one, two = torch.from_numpy(x), torch.from_numpy(y)
    found = theirs.kid_features_to_metric(one, two, kid_subsets=1, kid_subset_size=len(x), verbose=False)
    return found["kernel_inception_distance_mean"]


def torchmetrics_kid(x: np.ndarray, y: np.ndarray) -> float:
    theirs = peer("torchmetrics.image.kid")
    return theirs.poly_mmd(torch.from_numpy(x), torch.from_numpy(y)).item()


def clean_fid_kid(x: np.ndarray, y: np.ndarray) -> float:
    return peer("cleanfid.fid").kernel_distance(x, y, num_subsets=1)


@pytest.mark.parametrize("theirs", [torch_fidelity_kid, torchmetrics_kid, clean_fid_kid])
@pytest.mark.parametrize("width", [1, 64])
def test_the_kernel_distance_of_whole_sets(theirs: Callable[..., float], width):
    x, y = (features(seed, 200, width) for seed in (1, 2))
    expected = theirs(x.astype(np.float64), y.astype(np.float64))
    assert kernel_distance(x, y) == (pytest.approx(expected, rel=1e-6), 0)


def test_the_kernel_distance_over_the_subsets_of_torch_fidelity():
    theirs = peer("torch_fidelity.metric_kid")
    x, y = (torch.from_numpy(features(seed, count, 16)).double() for seed, count in ((1, 120), (2, 90)))
    found = theirs.kid_features_to_metric(x, y, kid_subsets=20, kid_subset_size=40, rng_seed=7, verbose=False)
    rng = np.random.RandomState(7)
    ours = [squared_mmd(x[rng.choice(120, 40, replace=False)], y[rng.choice(90, 40, replace=False)]) for _ in range(20)]
    assert np.mean(ours) == pytest.approx(found["kernel_inception_distance_mean"], rel=1e-6)
    assert np.std(ours) == pytest.approx(found["kernel_inception_distance_std"], rel=1e-6)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all:UserWarning")
def test_the_kernel_distance_over_subsets_of_torchmetrics():
    """Other subsets, so that the means over them agree as far as they vary."""
    x, y = (features(seed, 150, 16).astype(np.float64) for seed in (1, 2))
    metric = peer("torchmetrics.image.kid").KernelInceptionDistance(Given(16), subsets=100, subset_size=50)
    metric.update(torch.from_numpy(x), real=True)
    metric.update(torch.from_numpy(y), real=False)
    torch.manual_seed(0)
    theirs, sd = (value.item() for value in metric.compute())
    mean, ours = kernel_distance(x, y, subsets=100, size=50)
    assert ours == pytest.approx(sd, rel=0.3)
    assert abs(mean - theirs) < 3 * np.hypot(sd, ours) / 10


# Precision, recall, density, coverage -------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "k"), [(2, 1), (8, 5), (64, 3)])
def test_precision_recall_density_and_coverage_of_prdc(width, k, capsys):
    real, fake = features(1, 150, width), features(2, 120, width)
    expected = peer("prdc").compute_prdc(real.astype(np.float64), fake.astype(np.float64), k)
    found = manifold(real, fake, k)
    assert found._asdict() == pytest.approx(expected, abs=1e-12)
    assert len(set(found)) == 4


@pytest.mark.parametrize(("width", "k"), [(2, 1), (8, 5), (64, 3)])
def test_precision_and_recall_of_torch_fidelity(width, k):
    """No distance equals a radius here, so that their `<=` is our `<`."""
    theirs = peer("torch_fidelity.metric_prc")
    real, fake = features(1, 150, width), features(2, 120, width)
    generated_first = (torch.from_numpy(part).double() for part in (fake, real))
    expected = theirs.prc_features_to_metric(*generated_first, prc_neighborhood=k, verbose=False)
    found = manifold(real, fake, k)
    assert found.precision == pytest.approx(expected["precision"], abs=1e-6)  # theirs is float32
    assert found.recall == pytest.approx(expected["recall"], abs=1e-6)


def test_on_the_border_of_a_ball_torch_fidelity_counts_a_fake_in():
    theirs = peer("torch_fidelity.metric_prc")
    real, fake = np.array([[0.0], [1], [3], [7]]), np.array([[2.0], [11], [20]])
    generated_first = (torch.from_numpy(part) for part in (fake, real))
    expected = theirs.prc_features_to_metric(*generated_first, prc_neighborhood=1, verbose=False)
    assert expected["precision"] == pytest.approx(2 / 3)
    assert manifold(real, fake, 1).precision == pytest.approx(1 / 3)
    assert manifold(real, np.array([[2.0], [11 - 1e-9], [20]]), 1).precision == pytest.approx(2 / 3)


# From image files, with a random Inception network under the official file name -------------------------------------


class Files(NamedTuple):
    """Two folders of PNG files, and what our extractor finds in them."""

    folders: tuple[Path, Path]
    features: tuple[np.ndarray, np.ndarray]
    logits: tuple[np.ndarray, np.ndarray]

    def files(self) -> list[Path]:
        return [file for folder in self.folders for file in sorted(folder.iterdir())]

    def images(self) -> Tensor:
        """uint8 of shape (2 COUNT, 3, 8, 8)."""
        return torch.stack([torch.tensor(np.asarray(Image.open(file))).permute(2, 0, 1) for file in self.files()])


COUNT = 8
"""Images a folder."""
FEW = slice(4)
"""Features of which eight images give a regular covariance, as the matrix square root of some peers needs."""
CLOSE = 1e-5
"""Relative, of scores from files: networks convolve in another order, in float32. Their features differ by 8e-7, so
that distances differ by up to 4e-6; scores of the same features agree to 1e-6."""
FLOAT32_KERNEL = 5e-5
"""Relative: torch-fidelity and torchmetrics compute the kernel in the features' float32, which moves it by 1.3e-5."""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Iterator[Files]:
    home = tmp_path_factory.mktemp("torch-home")
    images = torch.randint(0, 256, (2 * COUNT, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = images[images.float().mean((1, 2, 3)).argsort()]  # a dark folder and a bright one
    folders = (home / "dark", home / "bright")
    for folder, part in zip(folders, images.split(COUNT), strict=True):
        folder.mkdir()
        for i, image in enumerate(part):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:02}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        save_random_inception(home, images[::3])
        found = inception(InceptionParams())(images)
        assert found.logits is not None
        yield Files(folders, halves(found.features), halves(found.logits))


def halves(tensor: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return tensor[:COUNT].numpy(), tensor[COUNT:].numpy()


def assert_close(found: tuple[np.ndarray, np.ndarray], expected: np.ndarray) -> None:
    assert np.linalg.norm(np.concatenate(found) - expected) < 2e-6 * np.linalg.norm(expected)


def few(parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return parts[0][:, FEW].astype(np.float64), parts[1][:, FEW].astype(np.float64)


@pytest.mark.slow
def test_pytorch_fid_from_files(files, monkeypatch):
    theirs, network = peer("pytorch_fid.fid_score"), peer("pytorch_fid.inception")
    found = theirs.get_activations(files.files(), network.InceptionV3([3]), batch_size=COUNT, num_workers=0)
    assert_close(files.features, found)
    halved = found[:COUNT], found[COUNT:]
    expected = pytorch_fid(*few(halved), monkeypatch)
    assert distance(*few(halved)) == pytest.approx(expected, rel=1e-6)  # of their network's features
    assert distance(*few(files.features)) == pytest.approx(expected, rel=CLOSE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The parameter 'pretrained' is deprecated:UserWarning")
@pytest.mark.filterwarnings("ignore:Arguments other than a weight enum:UserWarning")
def test_clean_fid_in_pytorch_mode_from_files(files, monkeypatch):
    theirs, mode, device = peer("cleanfid.fid"), "legacy_pytorch", torch.device("cpu")
    network = theirs.build_feature_extractor(mode, device, use_dataparallel=False)
    names = [str(file) for file in files.files()]
    found = theirs.get_files_features(names, network, 0, COUNT, device, mode, verbose=False)
    assert_close(files.features, found)
    found = found.astype(np.float64)  # theirs computes the kernel in the precision that it is given
    halved = found[:COUNT], found[COUNT:]
    kernel, expected = clean_fid_kid(*halved), clean_fid(*few(halved), monkeypatch)
    assert kernel_distance(*halved)[0] == pytest.approx(kernel, rel=1e-6)  # of their network's features
    assert distance(*few(halved)) == pytest.approx(expected, rel=1e-6)
    assert kernel_distance(*files.features)[0] == pytest.approx(kernel, rel=CLOSE)
    assert distance(*few(files.features)) == pytest.approx(expected, rel=CLOSE)


def resize_as_pytorch_fid(images: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Return what (x - 128) / 128 makes the input that pytorch-fid defines."""
    resized = F.interpolate(images / 255, size, mode="bilinear", align_corners=align_corners)
    return 128 + 128 * (2 * resized - 1)


def fidelity_network(files: Files) -> tuple[Tensor, Tensor]:
    """Return the features and logits that torch-fidelity's network, left as it is, finds in the images."""
    theirs = peer("torch_fidelity.feature_extractor_inceptionv3")
    layers, weights = ["2048", "logits_unbiased"], str(weights_path())
    return theirs.FeatureExtractorInceptionV3("theirs", layers, feature_extractor_weights_path=weights)(files.images())


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["pytorch-fid", "tf-compat"])
def test_every_score_of_torch_fidelity_from_files(files, protocol, monkeypatch):
    """As it is, and with pytorch-fid's preprocessing; by its network and by ours."""
    if protocol == "pytorch-fid":
        network = peer("torch_fidelity.feature_extractor_inceptionv3")
        monkeypatch.setattr(network, "interpolate_bilinear_2d_like_tensorflow1x", resize_as_pytorch_fid)
    scores = {"isc": True, "fid": True, "kid": True, "prc": True}
    settings = {"isc_splits": 1, "kid_subsets": 1, "kid_subset_size": COUNT, "prc_neighborhood": 5}
    means = {"cuda": False, "cache": False, "verbose": False, "save_cpu_ram": True, "batch_size": COUNT}
    weights = {"feature_extractor": "inception-v3-compat", "feature_extractor_weights_path": str(weights_path())}
    expected = peer("torch_fidelity").calculate_metrics(
        input1=str(files.folders[0]), input2=str(files.folders[1]), **scores, **settings, **means, **weights
    )
    ours = inception(InceptionParams(protocol=protocol))(files.images())
    for features, logits in (fidelity_network(files), ours[:2]):
        fake, real = halves(features)
        found = manifold(real, fake, 5)
        frechet, kernel = distance(real, fake), kernel_distance(real, fake)[0]
        score = classifier_score(halves(logits)[0], splits=1)[0]
        assert score == pytest.approx(expected["inception_score_mean"], rel=1e-6)
        assert frechet == pytest.approx(expected["frechet_inception_distance"], rel=CLOSE)
        assert kernel == pytest.approx(expected["kernel_inception_distance_mean"], rel=FLOAT32_KERNEL)
        assert found[:2] == pytest.approx((expected["precision"], expected["recall"]), abs=1e-6)
    same = halves(fidelity_network(files)[0])
    assert distance(*few(same)) == pytest.approx(torch_fidelity(*few(same), monkeypatch), rel=1e-6)
    exact = (same[0].astype(np.float64), same[1].astype(np.float64))
    assert kernel_distance(*same)[0] == pytest.approx(torch_fidelity_kid(*exact), rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Metric `.*` will save all:UserWarning")
@pytest.mark.filterwarnings(r"ignore:std\(\). degrees of freedom is <= 0:UserWarning")
def test_every_score_of_torchmetrics_from_files(files):
    """Without antialiasing, which is its own default, its network is torch-fidelity's; so are its scores."""

    def network(layer: str) -> Any:
        theirs = peer("torchmetrics.image.fid").NoTrainInceptionV3(
            "inception-v3-compat", [layer], str(weights_path()), antialias=False
        )
        theirs.num_features = 2048
        return theirs

    images = files.images()
    frechet = peer("torchmetrics.image.fid").FrechetInceptionDistance(network("2048"))
    kernel = peer("torchmetrics.image.kid").KernelInceptionDistance(network("2048"), subsets=1, subset_size=COUNT)
    for metric in (frechet, kernel):
        metric.update(images[COUNT:], real=True)
        metric.update(images[:COUNT], real=False)
    classifier = peer("torchmetrics.image.inception").InceptionScore(network("logits_unbiased"), splits=1)
    classifier.update(images[:COUNT])
    features, logits, _ = inception(InceptionParams(protocol="tf-compat"))(images)
    fake, real = halves(features)
    assert distance(real, fake) == pytest.approx(frechet.compute().item(), rel=CLOSE)
    assert kernel_distance(real, fake)[0] == pytest.approx(kernel.compute()[0].item(), rel=FLOAT32_KERNEL)
    found = classifier_score(halves(logits)[0], splits=1)[0]
    assert found == pytest.approx(classifier.compute()[0].item(), rel=1e-6)
