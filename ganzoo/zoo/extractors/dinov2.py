"""DINOv2 (Oquab et al., 2023, arXiv:2304.07193) as a feature network, fed as dgm-eval does.

Stein et al. (2023, arXiv:2306.04675) found that distances between its features agree with people where Inception's do
not. Their code (github.com/layer6ai-labs/dgm-eval, dgm_eval/models/dinov2.py) defines this protocol: the class token
after the last norm, of images resized to 224x224. timm builds the networks; the weights are Meta's own.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.api import Extracted, Extractor
from ganzoo.errors import WeightsError
from ganzoo.paths import expanded
from ganzoo.zoo.extractors.hub import download, file_sha256, hub_path, summary
from ganzoo.zoo.specs.extractors import Dinov2Params

SIZE = 224
GRID = 16
"""Patches of 14x14 pixels along a side."""
PASS = 32
"""Images per pass, however many the caller brings."""
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue, in [0, 1]."""
URL = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vit{0}14/dinov2_vit{0}14_pretrain.pth"
"""Meta's weights: the files that dgm-eval scores with, and that torch.hub keeps under the same names."""


class Dinov2Extractor:
    """The network behind the Extractor contract: the class token, and no logits."""

    resize = "bicubic, antialiased, to 224x224, rounded to 8 bits (dgm-eval)"

    def __init__(self, model: str, path: Path) -> None:
        """Load the weights in a file, and take its hash.

        Raises:
            WeightsError: timm is not installed, or the file is damaged or holds something else.
        """
        network = build(model)
        load(network, path)
        self.sha256 = file_sha256(path)
        self.network = network.float().eval().requires_grad_(False)

    def to(self, device: torch.device | str) -> Dinov2Extractor:
        """Move to a device and return self."""
        self.network.to(device)
        return self

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 1 or 3, H, W) to features (N, D), float32; grey is repeated."""
        with torch.autocast(images.device.type, enabled=False):  # scores are float32, whatever a caller has switched on
            return Extracted(torch.cat([self.network(prepare(part)) for part in images.split(PASS)]))


def dinov2(params: Dinov2Params) -> Extractor:
    """Return the network with the weights in a file of the user's, or in torch's hub folder, downloaded once."""
    if params.weights:
        return Dinov2Extractor(params.model, expanded(params.weights))
    url = URL.format(params.model[0])
    path = hub_path(url)
    import_timm()  # raises before a download of up to 4.5 GB
    if not path.exists():
        download(url, path, "the DINOv2 weights")
        _keep_if_whole(path, url)
    return Dinov2Extractor(params.model, path)


def _keep_if_whole(path: Path, url: str) -> None:
    """Delete what came from a URL where it cannot be read: without a hash to expect, that alone tells half a file.

    Raises:
        WeightsError: it was deleted.
    """
    try:
        read(path)
    except Exception as error:  # a damaged pickle raises nearly anything
        path.unlink()
        raise WeightsError(
            f"{url}: what came is cut short or something else ({summary(error)}), and was deleted; try again"
        ) from error


def prepare(images: Tensor) -> Tensor:
    """Resize and standardise: (n, 1 or 3, H, W) in [0, 255] -> (n, 3, 224, 224)."""
    colour = _resized(_resized(images.expand(-1, 3, -1, -1).float(), (images.shape[2], SIZE)), (SIZE, SIZE))
    mean, sd = (colour.new_tensor(values).reshape(3, 1, 1) for values in (MEAN, SD))
    return (colour / 255 - mean) / sd


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize along one axis, to whole values in [0, 255].

    dgm-eval resizes with Pillow, which rounds and clips after the columns and again after the rows; on images that are
    not square, Pillow 13 takes whichever is cheaper first. This is the same within one value, on any device.
    """
    return F.interpolate(images, size, mode="bicubic", antialias=True).round_().clamp_(0, 255)


def import_timm() -> ModuleType:
    """Return the package that knows the networks.

    Raises:
        WeightsError: it is not installed.
    """
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise WeightsError(
            f'dinov2 needs timm ({error}): pip install "ganzoo-core[dinov2]", or choose another feature network with '
            "--extractor NAME"
        ) from error


def build(model: str) -> nn.Module:
    """Return a network for images of 224x224, its weights still random."""
    timm = import_timm()
    with torch.random.fork_rng(devices=[]):  # initialisation draws from the global generator
        return timm.create_model(f"vit_{model}_patch14_dinov2", pretrained=False, img_size=SIZE, num_classes=0)


def load(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights in a file, Meta's own or timm's.

    Raises:
        WeightsError: the file is missing, damaged or holds something else.
    """
    try:
        state = read(path)
        network.load_state_dict(converted(state))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: there is no such file of DINOv2's weights; correct weights=FILE") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise WeightsError(
            f"{path}: not the weights of this DINOv2 model, or a damaged copy ({summary(error)}); choose the model "
            "that they belong to with model=, or get the file again"
        ) from error


def read(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors in a .safetensors file, or in a .pth file that is not allowed to run code."""
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return Meta's weights under timm's names, with position embeddings for 16x16 patches; timm's stay as they are."""
    names = {name: name.replace(".w12.", ".fc1.").replace(".w3.", ".fc2.") for name in state if name != "mask_token"}
    return {new: resampled(state[old]) if old == "pos_embed" else state[old] for old, new in names.items()}


def resampled(embeddings: Tensor) -> Tensor:
    """Return position embeddings for 16x16 patches: (1, 1 + side^2, D) -> (1, 257, D), the class token's first.

    As Meta's code does when it is given 224x224 pixels: bicubic, not antialiased, by (16 + 0.1) / side instead of
    16 / side (dinov2/models/vision_transformer.py, interpolate_pos_encoding). timm's own resampling differs.
    """
    token, patches = embeddings[:, :1], embeddings[:, 1:]
    side = math.isqrt(patches.shape[1])
    if side == GRID:
        return embeddings
    grid = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, side^2, D) -> (1, D, side, side)
    grid = F.interpolate(grid, scale_factor=(GRID + 0.1) / side, mode="bicubic")
    return torch.cat([token, grid.flatten(2).transpose(1, 2)], 1)  # (1, D, 16, 16) -> (1, 256, D)
