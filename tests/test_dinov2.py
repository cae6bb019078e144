"""DINOv2 as a feature network: what it is fed, which weights it takes, and what it says where timm is missing."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from ganzoo.errors import WeightsError
from ganzoo.zoo.extractors.dinov2 import GRID, dinov2, prepare, resampled
from ganzoo.zoo.specs.extractors import Dinov2Params

WIDTH = 4


class Stub(nn.Module):
    """Stands in for timm's network: a position embedding, and parameters under some of its names."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID**2, WIDTH))
        self.fc1 = nn.Linear(3, WIDTH)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc1(images.mean((2, 3))) + self.pos_embed[:, 0]


@pytest.fixture
def timm(monkeypatch) -> dict[str, object]:
    """A timm that remembers what it was asked for."""
    asked = {}

    def create_model(name: str, **options: object) -> nn.Module:
        asked.update(name=name, **options)
        return Stub()

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    return asked


@pytest.fixture
def without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


def state(side: int = 37) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    shapes = {"pos_embed": (1, 1 + side**2, WIDTH), "fc1.weight": (WIDTH, 3), "fc1.bias": (WIDTH,)}
    return {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


# What it is fed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 32, 224, 500])
def test_images_are_resized_as_pillow_does(size):
    images = noise(2, 3, size, size)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    expected = np.stack([np.array(picture.resize((224, 224), Image.Resampling.BICUBIC)) for picture in pictures])
    mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    found = (prepare(images).permute(0, 2, 3, 1) * sd + mean) * 255
    off = (found - torch.from_numpy(expected)).abs()
    assert off.max() < 2.01  # whole values: rounding of two passes can be one off in each
    assert (off > 0.01).float().mean() < 0.01


def test_grey_is_repeated():
    grey = noise(2, 1, 20, 20)
    assert torch.equal(prepare(grey), prepare(grey.repeat(1, 3, 1, 1)))


def cubic(row: np.ndarray, place: float) -> float:
    """Return a row's value between its pixels, by Keys' convolution with a = -0.75, edges repeated."""
    first, t = int(np.floor(place)) - 1, place - np.floor(place)
    far, near = (lambda d: -0.75 * (d**3 - 5 * d**2 + 8 * d - 4)), (lambda d: 1.25 * d**3 - 2.25 * d**2 + 1)
    weights = [far(1 + t), near(t), near(1 - t), far(2 - t)]
    return float(np.dot(weights, row[np.clip(np.arange(first, first + 4), 0, len(row) - 1)]))


def test_position_embeddings_are_resampled_with_an_offset_as_meta_does():
    row = np.random.default_rng(0).normal(size=37)
    patches = torch.from_numpy(row).expand(37, 37).reshape(1, -1, 1)
    found = resampled(torch.cat([torch.full((1, 1, 1), 7.0, dtype=torch.float64), patches], 1))
    assert found.shape == (1, 257, 1)
    assert found[0, 0] == 7
    expected = [cubic(row, (column + 0.5) * 37 / 16.1 - 0.5) for column in range(GRID)]
    torch.testing.assert_close(
        found[0, 1:, 0].reshape(GRID, GRID), torch.tensor(expected, dtype=torch.float64).expand(GRID, -1)
    )


def test_position_embeddings_for_this_very_size_stay():
    embeddings = state(side=GRID)["pos_embed"]
    assert torch.equal(resampled(embeddings), embeddings)


# The network and its weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_features_are_float32_of_the_weights_in_a_file(timm, tmp_path, suffix):
    file = tmp_path / f"weights{suffix}"
    save = torch.save if suffix == ".pth" else safetensors.torch.save_file
    save(state() | {"mask_token": torch.zeros(1, WIDTH)}, file)
    before = torch.get_rng_state()
    extractor = dinov2(Dinov2Params(model="small", weights=str(file)))
    images = noise(40, 3, 16, 16)
    found = extractor(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert timm == {"name": "vit_small_patch14_dinov2", "pretrained": False, "img_size": 224, "num_classes": 0}
    stub = Stub()
    stub.load_state_dict({**state(), "pos_embed": resampled(state()["pos_embed"])})
    torch.testing.assert_close(found.features, stub(prepare(images)))
    assert found.features.dtype == torch.float32
    assert not found.features.requires_grad
    assert found.logits is None
    assert extractor.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_weights_are_downloaded_once_to_where_torch_hub_keeps_them(timm, home, monkeypatch):
    fetched = []

    def fetch(url: str, target: str, hash_prefix: str | None):
        fetched.append(url)
        torch.save(state(), target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert dinov2(Dinov2Params()).sha256 == dinov2(Dinov2Params()).sha256
    assert fetched == ["https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"]
    assert (home / "hub" / "checkpoints" / "dinov2_vitl14_pretrain.pth").exists()


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_half_a_download_is_not_taken_for_weights_the_next_time(timm, home, monkeypatch, size):
    def fetch(url: str, target: str, hash_prefix: str | None):
        torch.save(state(), target)
        os.truncate(target, size)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match=r"dinov2_vits14_pretrain.pth: what came is cut short.*try again"):
        dinov2(Dinov2Params(model="small"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda url, target, hash_prefix: torch.save(state(), target))
    assert dinov2(Dinov2Params(model="small")).sha256


def test_without_network_the_error_says_where_to_put_the_weights(timm, home, monkeypatch):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(WeightsError, match=r"dinov2_vitg14_pretrain.pth.*no network.*--extractor"):
        dinov2(Dinov2Params(model="giant"))


def test_a_missing_file_is_named(timm, tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere.pth: there is no such file.*weights=FILE"):
        dinov2(Dinov2Params(weights=str(tmp_path / "nowhere.pth")))


@pytest.mark.parametrize("content", [b"", b"not weights"], ids=["empty", "other"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_with_something_else_is_refused(timm, tmp_path, suffix, content):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="not the weights of this DINOv2 model"):
        dinov2(Dinov2Params(weights=str(file)))


def test_the_weights_of_another_model_are_refused(timm, tmp_path):
    torch.save({**state(), "fc1.bias": torch.zeros(9)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="choose the model that they belong to with model="):
        dinov2(Dinov2Params(weights=str(tmp_path / "other.pth")))


# timm ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["", "mine.pth"])
def test_without_timm_the_error_says_how_to_install_it(without_timm, home, monkeypatch, weights):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **kwargs: pytest.fail("downloads first"))
    with pytest.raises(WeightsError, match=r'needs timm .*pip install "ganzoo-core\[dinov2\]"'):
        dinov2(Dinov2Params(weights=weights))


def test_importing_the_extractor_does_not_import_timm():
    code = "import sys, ganzoo.zoo.extractors.dinov2; sys.exit('timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_real_network_takes_metas_names(tmp_path):
    pytest.importorskip("timm")
    from ganzoo.zoo.extractors.dinov2 import build

    network = build("small").eval()
    names = {
        name.replace(".fc1.", ".w12.").replace(".fc2.", ".w3."): value for name, value in network.state_dict().items()
    }
    torch.save(names | {"mask_token": torch.zeros(1, 384)}, tmp_path / "small.pth")
    images = noise(2, 3, 32, 32)
    found = dinov2(Dinov2Params(model="small", weights=str(tmp_path / "small.pth")))(images)
    with torch.inference_mode():
        assert torch.equal(found.features, network(prepare(images)))
    assert found.features.shape == (2, 384)
