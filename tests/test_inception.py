"""The Inception network of FID and IS: that it is pytorch-fid's own or torch-fidelity's, and where its weights lie."""

from __future__ import annotations

import copy
import dataclasses
import os
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from inception_weights import FILE, save_random_inception
from pytorch_fid.inception import InceptionV3
from torch import Tensor, nn

from ganzoo.engine.machine import use_float32
from ganzoo.errors import ParameterError, WeightsError
from ganzoo.params import build
from ganzoo.zoo.extractors.inception import PROTOCOLS, InceptionExtractor, inception, load, weights_path
from ganzoo.zoo.extractors.inception_fused import fused
from ganzoo.zoo.extractors.tf_resize import resize_bilinear
from ganzoo.zoo.specs.extractors import INCEPTION, INCEPTION_2015_SHA256, InceptionParams

PYTORCH_FID, TF_COMPAT = InceptionParams(), InceptionParams(protocol="tf-compat")
ROUNDING = 2e-6
"""Relative, of the features: twice what float32 rounding makes of them, in any order of the same operations."""


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def random_home(tmp_path_factory) -> Path:
    """A TORCH_HOME with a calibrated random Inception network."""
    home = tmp_path_factory.mktemp("torch-home")
    save_random_inception(home, noise(4, 3, 8, 8))
    return home


@pytest.fixture(autouse=True)
def torch_home(random_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(random_home))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The folder, still empty, where torch keeps downloaded weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def extractor(random_home) -> InceptionExtractor:
    return InceptionExtractor(random_home / "hub" / "checkpoints" / FILE, PROTOCOLS["pytorch-fid"])


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return uniform random uint8 images."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the relative distance between two sets of features."""
    return ((found.double() - expected).norm() / expected.double().norm()).item()


# The network --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 299])
def test_features_are_those_of_pytorch_fid(extractor, size):
    images = noise(2, 3, size, size)
    features, logits, _ = extractor(images)
    with torch.inference_mode():
        theirs = InceptionV3().eval()(images.float() / 255)[0].flatten(1)
    assert features.shape == (2, 2048)
    assert logits.shape == (2, 1008)
    assert difference(features, theirs) < ROUNDING
    assert features.std(0).mean() > 0.01  # a network that answers a constant would agree as well


def test_the_fused_network_is_the_same_function_as_the_network_itself():
    """In float64, where rounding hides nothing."""
    network = load(weights_path()).double()
    images = torch.rand(1, 3, 299, 299, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = copy.deepcopy(network.state_dict())
    with torch.inference_mode():
        found = fused(network)(images)
        network.add_module("fc", nn.Identity())
        assert difference(found, network(images)) < 1e-12
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in after)


def test_logits_leave_out_the_bias(extractor):
    state = torch.load(weights_path(), weights_only=True)
    features, logits, _ = extractor(noise(2, 3, 16, 16))
    torch.testing.assert_close(logits, features @ state["fc.weight"].T)
    assert state["fc.bias"].abs().mean() > 0.5


@pytest.mark.parametrize("params", [PYTORCH_FID, TF_COMPAT], ids=lambda params: params.protocol)
def test_repeated_grey_is_grey_and_building_and_calling_draw_no_random_number(params):
    before = torch.get_rng_state()
    grey = noise(2, 1, 8, 8)
    kept = grey.clone()
    found = inception(params)(grey)
    again = inception(params)(grey.repeat(1, 3, 1, 1))
    assert torch.equal(found.features, again.features)
    assert torch.equal(found.logits, again.logits)
    assert torch.equal(grey, kept)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_large_batch_goes_through_in_parts(extractor, monkeypatch):
    images = noise(5, 3, 8, 8)
    whole = extractor(images).features
    monkeypatch.setattr(extractor, "chunk", 2)
    assert difference(extractor(images).features, whole) < ROUNDING


def test_features_are_float32_whatever_the_caller_has_switched_on(extractor):
    images = noise(1, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = extractor(images)
    expected = extractor(images)
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.logits, expected.logits)


def test_the_layout_that_suits_a_processor_stays_there(extractor):
    moved = copy.deepcopy(extractor)
    weights = [weight for weight in moved.network.parameters() if weight.dim() == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    moved.to("meta")  # stands in for a GPU
    assert all(weight.is_contiguous() for weight in moved.network.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_features_on_a_gpu_are_those_of_the_processor(extractor):
    use_float32()
    images = noise(3, 3, 32, 32)
    found = copy.deepcopy(extractor).to("cuda")(images.cuda())
    expected = extractor(images)
    assert difference(found.features.cpu(), expected.features) < 5 * ROUNDING
    assert difference(found.logits.cpu(), expected.logits) < 5 * ROUNDING


# The two protocols --------------------------------------------------------------------------------------------------


def test_tensorflow_reads_no_half_pixel_centres():
    row = torch.tensor([0.0, 1.0, 4.0]).reshape(1, 1, 1, 3)
    found = resize_bilinear(row, 6)
    assert found.shape == (1, 1, 6, 6)
    assert torch.equal(found, torch.tensor([0.0, 0.5, 1.0, 2.5, 4.0, 4.0]).expand(1, 1, 6, 6))
    assert not torch.equal(found, F.interpolate(row, (6, 6), mode="bilinear"))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (8, 8), (32, 20), (299, 299), (701, 300)], ids=str)
def test_resizing_is_that_of_torch_fidelity(shape):
    theirs = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    images = noise(2, 3, *shape).float()
    expected = theirs.interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = resize_bilinear(images.contiguous(memory_format=layout), 299)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_tf_compat_features_and_logits_are_those_of_torch_fidelity():
    theirs = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    images = noise(2, 3, 20, 33)
    layers = ["2048", "logits_unbiased"]
    network = theirs.FeatureExtractorInceptionV3("theirs", layers, feature_extractor_weights_path=str(weights_path()))
    features, logits = network(images)
    found = inception(TF_COMPAT)(images)
    assert difference(found.features, features) < ROUNDING
    assert difference(found.logits, logits) < ROUNDING


def test_the_protocols_differ_and_each_is_named(extractor):
    other = inception(TF_COMPAT)
    assert other.sha256 == extractor.sha256
    assert "pytorch-fid" in extractor.resize
    assert "TensorFlow 1" in other.resize
    images = noise(2, 3, 8, 8)
    assert difference(other(images).features, extractor(images).features) > 1e-3


def test_the_parameter_offers_exactly_the_protocols_there_are():
    (protocol,) = dataclasses.fields(INCEPTION.params)
    assert protocol.metadata["choices"] == tuple(PROTOCOLS)
    assert protocol.default == "pytorch-fid"
    with pytest.raises(ParameterError, match=r'did you mean "tf-compat"'):
        build(INCEPTION.params, {"protocol": "tf-compatible"}, "inception")


# The weights --------------------------------------------------------------------------------------------------------


def test_a_random_inception_is_not_mistaken_for_the_official_one(extractor):
    assert len(extractor.sha256) == 64
    assert extractor.sha256 != INCEPTION_2015_SHA256


def test_missing_weights_without_network_tell_where_to_put_them(home, monkeypatch):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"no network.*--extractor") as caught:
        inception(PYTORCH_FID)
    assert str(home / FILE) in str(caught.value)


def test_missing_weights_are_downloaded_and_verified(home, random_home, monkeypatch):
    def fetch(url: str, target: str, hash_prefix: str):
        assert hash_prefix == INCEPTION_2015_SHA256
        Path(target).hardlink_to(random_home / "hub" / "checkpoints" / Path(url).name)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert inception(PYTORCH_FID)(noise(1, 3, 8, 8)).features.shape == (1, 2048)


@pytest.mark.parametrize("size", [0, 100, 2_000, 60_000_000])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_truncated_weights_are_refused(home, random_home, size, zipped):
    state = torch.load(random_home / "hub" / "checkpoints" / FILE, weights_only=True)
    torch.save(state, home / FILE, _use_new_zipfile_serialization=zipped)
    os.truncate(home / FILE, size)
    with pytest.raises(WeightsError, match=r"damaged copy.*delete the file"):
        inception(PYTORCH_FID)


@pytest.mark.parametrize("content", [{"fc.weight": torch.zeros(2)}, [1, 2]], ids=["other weights", "a list"])
def test_a_file_with_something_else_is_refused(home, content):
    torch.save(content, home / FILE)
    with pytest.raises(WeightsError, match="not the Inception weights"):
        inception(PYTORCH_FID)
