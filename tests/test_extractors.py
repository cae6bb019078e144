"""The shipped feature networks: what the classifiers can do. Inception has test_inception.py."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo.api import Extractor, NoParams
from ganzoo.errors import WeightsError
from ganzoo.zoo.datasets import archive
from ganzoo.zoo.extractors import classifier, resnet
from ganzoo.zoo.extractors.classifier import ClassifierExtractor, digits_cnn, mnist_cnn
from ganzoo.zoo.extractors.resnet import cifar10_resnet
from ganzoo.zoo.specs.datasets import ZipParams

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("GANZOO_DATA", ROOT.parent / "shared" / "data"))
DIGITS_FILE = ROOT / "ganzoo" / "zoo" / "datasets" / "digits.npz"
LARGEST = {digits_cnn: 1_000_000, mnist_cnn: 1_000_000, cifar10_resnet: 4_000_000}
"""The classifiers, and the bytes that each may add to the package."""
CLASSIFIERS = list(LARGEST)


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


def noise(*shape: int) -> Tensor:
    """Return uniform random uint8 images."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def extract(extractor: Extractor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return features of shape (N, D) and logits of shape (N, 10)."""
    features, logits = list[Tensor](), list[Tensor]()
    for batch in images.split(500):
        found = extractor(batch)
        assert found.logits is not None
        features.append(found.features)
        logits.append(found.logits)
    return torch.cat(features), torch.cat(logits)


def accuracy_and_confidence(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return how often a classifier is right and how sure it is of it."""
    right = (logits.argmax(1) == labels).double().mean().item()
    return right, logits.softmax(1).amax(1).double().mean().item()


# The digits and the classifiers -------------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    counts, labels = load_digits(return_X_y=True)
    pixels, ours = digits
    assert pixels.shape == (1797, 1, 8, 8)
    assert np.array_equal(np.rint(pixels.numpy().reshape(-1, 64) * 16.0 / 255), counts)
    assert np.array_equal(ours, labels)
    assert pixels.max() == 255


def test_the_digits_classifier_is_right_on_unseen_digits_and_as_sure_of_it(digits):
    pixels, labels = (array[2::3] for array in digits)
    assert len(labels) == 599
    right, sure = accuracy_and_confidence(extract(digits_cnn(NoParams()), pixels)[1], labels)
    assert right > 0.985
    assert abs(right - sure) < 0.01


@pytest.mark.skipif(not (DATA / "MNIST" / "raw").is_dir(), reason=f"no MNIST/raw in {DATA}; set GANZOO_DATA")
def test_the_mnist_classifier_is_right_on_the_test_split_and_as_sure_of_it():
    from torchvision.datasets import MNIST

    data = MNIST(DATA, train=False)
    right, sure = accuracy_and_confidence(extract(mnist_cnn(NoParams()), data.data[:, None])[1], data.targets)
    assert right > 0.993
    assert abs(right - sure) < 0.002


@pytest.fixture(scope="module")
def cifar10() -> tuple[Tensor, Tensor]:
    """2,000 test images of CIFAR-10, uint8 (2000, 3, 32, 32), and their labels, int64 (2000,)."""
    file = DATA / "cifar10-test-32x32.zip"
    if not file.is_file():
        pytest.skip(f"no {file.name} in {DATA}; set GANZOO_DATA")
    images = archive.load(ZipParams(path=str(file)), DATA, "train")  # alone, a zip is its own training split
    assert images.labels is not None
    return torch.from_numpy(images.pixels[:2000]), torch.from_numpy(images.labels[:2000])


def test_the_cifar10_classifier_is_right_on_test_images_and_as_sure_of_it(cifar10):
    pixels, labels = cifar10
    right, sure = accuracy_and_confidence(extract(cifar10_resnet(NoParams()), pixels)[1], labels)
    assert right > 0.92
    assert abs(right - sure) < 0.02


@pytest.mark.parametrize("design", [classifier.DIGITS, classifier.MNIST, resnet.CIFAR10], ids=lambda one: one.file)
def test_batch_norms_are_within_the_convolutions_before_them_and_features_are_as_they_were(design):
    extractor, plain = ClassifierExtractor(design), ClassifierExtractor(design)
    plain.network = classifier.load(design, classifier.WEIGHTS / design.file)
    images = noise(64, design.channels, design.size, design.size)
    wanted, found = (one(images).features for one in (plain, extractor))
    assert (found - wanted).norm() < 1e-6 * wanted.norm()
    for sequence in extractor.network.modules():
        kinds = [type(layer) for layer in sequence.children()]
        assert (torch.nn.Conv2d, torch.nn.BatchNorm2d) not in pairwise(kinds)


def test_a_processor_sees_many_images_in_parts_and_says_the_same_of_them(digits):
    extractor, parts = ClassifierExtractor(classifier.DIGITS), list[int]()
    extractor.network.register_forward_hook(lambda network, images, found: parts.append(len(images[0])))
    features, logits, _ = extractor(digits[0][:300])
    assert parts == [128, 128, 44]
    alone = [extractor(digits[0][i : i + 1]) for i in (0, 127, 128, 299)]
    torch.testing.assert_close(features[[0, 127, 128, 299]], torch.cat([one.features for one in alone]))
    assert logits is not None
    torch.testing.assert_close(
        logits[[0, 127, 128, 299]], torch.cat([one.logits for one in alone if one.logits is not None])
    )


def test_no_feature_of_digits_is_dead_or_outweighs_the_others(digits):
    spread = extract(digits_cnn(NoParams()), digits[0])[0].std(0)
    assert spread.min() > 0.7
    assert spread.max() < 1.4


def test_no_feature_of_cifar10_is_dead_or_outweighs_the_others(cifar10):
    spread = extract(cifar10_resnet(NoParams()), cifar10[0])[0].std(0)
    assert spread.min() > 0.7
    assert spread.max() < 1.4


@pytest.mark.parametrize("build", CLASSIFIERS)
def test_a_classifier_names_its_weights_by_the_hash_of_their_file(build):
    file = classifier.WEIGHTS / f"{build.__name__.replace('_', '-')}.safetensors"
    assert build(NoParams()).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stat().st_size <= LARGEST[build]


@pytest.mark.parametrize("build", CLASSIFIERS)
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (32, 20), (32, 32)], ids=str)
def test_a_classifier_takes_any_size_and_repeated_grey_as_grey(build, shape):
    extractor, grey = build(NoParams()), noise(4, 1, *shape)
    features, logits = extract(extractor, grey)
    assert features.dtype == logits.dtype == torch.float32
    assert logits.shape == (4, 10)
    assert not features.requires_grad
    torch.testing.assert_close(extract(extractor, grey.expand(-1, 3, -1, -1)), (features, logits))


def test_the_cifar10_classifier_sees_colour():
    images = noise(4, 3, 32, 32)
    features = cifar10_resnet(NoParams())(images).features
    assert features.shape == (4, 128)
    assert (features - cifar10_resnet(NoParams())(images.flip(1)).features).abs().max() > 0.1


@pytest.mark.parametrize("build", CLASSIFIERS)
def test_a_classifier_computes_in_float32_however_its_weights_are_stored(build):
    network = build(NoParams()).network
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32, torch.int64}  # int64: a count


def test_building_and_calling_an_extractor_is_repeatable_and_draws_no_random_number():
    before = torch.get_rng_state()
    images = noise(2, 3, 32, 32)
    for build in CLASSIFIERS:
        for one, other in zip(extract(build(NoParams()), images), extract(build(NoParams()), images), strict=True):
            assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "design", [classifier.DIGITS, classifier.MNIST, resnet.CIFAR10], ids=lambda design: design.file
)
def test_damaged_classifier_weights_are_refused(design, tmp_path):
    content = bytearray((classifier.WEIGHTS / design.file).read_bytes())
    content[-1] ^= 1
    (tmp_path / design.file).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{design.file}.*have sha256.*reinstall"):
        ClassifierExtractor(design, tmp_path)


def test_other_classifier_weights_than_expected_are_refused():
    other = dataclasses.replace(classifier.DIGITS, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"digits-cnn.safetensors.*have sha256.*reinstall"):
        ClassifierExtractor(other)


def test_missing_classifier_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"digits-cnn.safetensors.*No such file"):
        ClassifierExtractor(classifier.DIGITS, tmp_path)
