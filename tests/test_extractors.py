"""The feature networks: what the shipped ones can do, and that Inception is pytorch-fid's own."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from inception_weights import FILE, save_random_inception
from torch import Tensor

from ganzoo.api import Extractor, NoParams
from ganzoo.errors import WeightsError
from ganzoo.zoo.extractors import classifier
from ganzoo.zoo.extractors.classifier import ClassifierExtractor, digits_cnn, mnist_cnn
from ganzoo.zoo.extractors.inception import inception
from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("GANZOO_DATA", ROOT.parent / "shared" / "data"))
DIGITS_FILE = ROOT / "ganzoo" / "zoo" / "datasets" / "digits.npz"


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Pixels, uint8 (1797, 1, 8, 8), and labels, int64 (1797,)."""
    with np.load(DIGITS_FILE) as file:
        return torch.from_numpy(file["pixels"]), torch.from_numpy(file["labels"]).long()


@pytest.fixture(scope="module")
def random_home(tmp_path_factory, digits) -> Path:
    """A TORCH_HOME with a calibrated random Inception network."""
    home = tmp_path_factory.mktemp("torch-home")
    save_random_inception(home, digits[0][:8])
    return home


@pytest.fixture
def random_inception(random_home, monkeypatch) -> Extractor:
    monkeypatch.setenv("TORCH_HOME", str(random_home))
    return inception(NoParams())


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The folder, still empty, where torch keeps downloaded weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def noise(*shape: int) -> Tensor:
    """Return uniform random uint8 images."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def accuracy(extractor: Extractor, images: Tensor, labels: Tensor) -> float:
    found = torch.cat([extractor(batch).logits.argmax(1) for batch in images.split(500)])
    return (found == labels).double().mean().item()


# The digits and the classifiers -------------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    counts, labels = load_digits(return_X_y=True)
    pixels, ours = digits
    assert pixels.shape == (1797, 1, 8, 8)
    assert np.array_equal(np.rint(pixels.numpy().reshape(-1, 64) * 16.0 / 255), counts)
    assert np.array_equal(ours, labels)
    assert pixels.max() == 255


def test_the_digits_classifier_is_right_on_unseen_digits(digits):
    pixels, labels = (array[2::3] for array in digits)
    assert len(labels) == 599
    assert accuracy(digits_cnn(NoParams()), pixels, labels) > 0.985


@pytest.mark.skipif(not (DATA / "MNIST" / "raw").is_dir(), reason=f"no MNIST/raw in {DATA}; set GANZOO_DATA")
def test_the_mnist_classifier_is_right_on_the_test_split():
    from torchvision.datasets import MNIST

    data = MNIST(DATA, train=False)
    assert accuracy(mnist_cnn(NoParams()), data.data[:, None], data.targets) > 0.993


def test_no_feature_is_dead_or_outweighs_the_others(digits):
    spread = digits_cnn(NoParams())(digits[0]).features.std(0)
    assert spread.min() > 0.7
    assert spread.max() < 1.4


@pytest.mark.parametrize("build", [digits_cnn, mnist_cnn])
def test_a_classifier_names_its_weights_by_the_hash_of_their_file(build):
    file = classifier.WEIGHTS / f"{build.__name__.replace('_', '-')}.safetensors"
    assert build(NoParams()).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("build", [digits_cnn, mnist_cnn])
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 20)], ids=str)
def test_a_classifier_takes_any_size_and_repeated_grey_as_grey(build, shape):
    extractor, grey = build(NoParams()), noise(4, 1, *shape)
    features, logits = extractor(grey)
    assert features.dtype == logits.dtype == torch.float32
    assert logits.shape == (4, 10)
    assert not features.requires_grad
    torch.testing.assert_close(extractor(grey.expand(-1, 3, -1, -1)).features, features)


def test_building_and_calling_an_extractor_is_repeatable_and_draws_no_random_number(random_inception):
    before = torch.get_rng_state()
    images = noise(2, 3, 32, 32)
    for build in (digits_cnn, mnist_cnn, inception):
        for one, other in zip(build(NoParams())(images), build(NoParams())(images), strict=True):
            assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_other_classifier_weights_than_expected_are_refused():
    other = dataclasses.replace(classifier.DIGITS, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"digits-cnn.safetensors.*have sha256.*reinstall"):
        ClassifierExtractor(other)


def test_missing_classifier_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"digits-cnn.safetensors.*No such file"):
        ClassifierExtractor(classifier.DIGITS, tmp_path)


# Inception ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 299])
def test_inception_features_are_those_of_pytorch_fid(random_inception, size):
    from pytorch_fid.inception import InceptionV3

    images = noise(2, 3, size, size)
    features, logits = random_inception(images)
    with torch.no_grad():
        theirs = InceptionV3().eval()(images.float() / 255)[0].flatten(1)
    assert features.shape == (2, 2048)
    assert logits.shape == (2, 1008)
    assert (features - theirs).norm() < 1e-5 * theirs.norm()
    assert features.std() > 0.01  # a network that answers a constant would agree as well


def test_inception_logits_leave_out_the_bias(random_inception, random_home):
    state = torch.load(random_home / "hub" / "checkpoints" / FILE, weights_only=True)
    features, logits = random_inception(noise(2, 3, 16, 16))
    torch.testing.assert_close(logits, features @ state["fc.weight"].T)
    assert state["fc.bias"].abs().mean() > 0.5


def test_inception_takes_repeated_grey_as_grey(random_inception, digits):
    grey = digits[0][:2]
    assert torch.equal(random_inception(grey).features, random_inception(grey.repeat(1, 3, 1, 1)).features)


def test_a_random_inception_is_not_mistaken_for_the_official_one(random_inception):
    assert len(random_inception.sha256) == 64
    assert random_inception.sha256 != INCEPTION_2015_SHA256


def test_missing_inception_weights_without_network_tell_where_to_put_them(home, monkeypatch):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"no network.*--extractor") as caught:
        inception(NoParams())
    assert str(home / FILE) in str(caught.value)


def test_missing_inception_weights_are_downloaded_and_verified(home, random_home, monkeypatch):
    def fetch(url: str, target: str, hash_prefix: str):
        assert hash_prefix == INCEPTION_2015_SHA256
        Path(target).hardlink_to(random_home / "hub" / "checkpoints" / Path(url).name)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert inception(NoParams())(noise(1, 3, 8, 8)).features.shape == (1, 2048)


@pytest.mark.parametrize("size", [0, 100, 2_000, 60_000_000])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_truncated_inception_weights_are_refused(home, random_home, size, zipped):
    state = torch.load(random_home / "hub" / "checkpoints" / FILE, weights_only=True)
    torch.save(state, home / FILE, _use_new_zipfile_serialization=zipped)
    os.truncate(home / FILE, size)
    with pytest.raises(WeightsError, match=r"damaged copy.*delete the file"):
        inception(NoParams())


@pytest.mark.parametrize("content", [{"fc.weight": torch.zeros(2)}, [1, 2]], ids=["other weights", "a list"])
def test_a_file_with_something_else_is_refused(home, content):
    torch.save(content, home / FILE)
    with pytest.raises(WeightsError, match="not the Inception weights"):
        inception(NoParams())
