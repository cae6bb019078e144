"""The Inception network of 2015-12-05, as pytorch-fid ported it: what FID, IS and KID are defined on.

The weights are never part of ganzoo. They are read from `$TORCH_HOME/hub/checkpoints`, where pytorch-fid keeps them
too, and downloaded to that place when they are missing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
import torch.nn.functional as F
from pytorch_fid import inception as fid
from torch import Tensor, nn
from torchvision.models.inception import Inception3

from ganzoo.api import Extracted, Extractor, NoParams
from ganzoo.errors import WeightsError
from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256


class InceptionExtractor:
    """The network behind the Extractor contract: 2048 pooled features and 1008 logits."""

    resize = "bilinear, align_corners=False, to 299x299 (pytorch-fid)"

    def __init__(self, path: Path) -> None:
        """Load the weights in a file, and take its hash.

        Raises:
            WeightsError: the file is damaged or holds something else.
        """
        network = load(path).to(memory_format=torch.channels_last)
        self.sha256 = file_sha256(path)
        self.logits = nn.Linear(2048, 1008, bias=False, device="meta")
        self.logits.weight = network.fc.weight
        network.add_module("fc", nn.Identity())  # the pooled features come out
        self.network = network

    def to(self, device: torch.device | str) -> InceptionExtractor:
        """Move to a device and return self."""
        self.network.to(device)
        self.logits.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 1 or 3, H, W) to features (N, 2048) and logits (N, 1008), float32.

        Grey is repeated to three channels. Resizing is pytorch-fid's, without antialiasing. The logits leave out the
        last layer's bias, as the Inception score's first implementation did (Salimans et al., 2016, arXiv:1606.03498).
        """
        colour = images.expand(-1, 3, -1, -1).float() / 255  # (N, 1 or 3, H, W) -> (N, 3, H, W)
        colour = F.interpolate(colour, (299, 299), mode="bilinear", align_corners=False)
        features = self.network((2 * colour - 1).contiguous(memory_format=torch.channels_last))
        return Extracted(features, self.logits(features))


def inception(params: NoParams) -> Extractor:
    """Return the network with the weights in torch's hub folder, downloading them when they are missing."""
    path = weights_path()
    if not path.exists():
        download(path)
    return InceptionExtractor(path)


def weights_path() -> Path:
    """Return where the weights belong; `$TORCH_HOME` moves it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(fid.FID_WEIGHTS_URL).name


def download(path: Path) -> None:
    """Fetch the weights, and keep them only if they are the official ones.

    Raises:
        WeightsError: no network, or other bytes than expected.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(fid.FID_WEIGHTS_URL, str(path), hash_prefix=INCEPTION_2015_SHA256)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; RuntimeError: torch found another hash
        raise WeightsError(
            f"{path}: the Inception weights are not there and cannot be downloaded ({error}); "
            f"put a copy of {fid.FID_WEIGHTS_URL} at that path, or choose another feature network with "
            "--extractor NAME"
        ) from error


def load(path: Path) -> Inception3:
    """Return the network in eval mode with the weights in a file.

    Raises:
        WeightsError: the file is truncated, unreadable or holds something else.
    """
    network = skeleton()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    except Exception as error:  # a damaged pickle raises nearly anything: IndexError, struct.error, UnicodeDecodeError
        raise WeightsError(
            f"{path}: not the Inception weights of pytorch-fid, or a damaged copy ({summary(error)}); "
            "delete the file to have it downloaded again"
        ) from error
    return network.float().eval().requires_grad_(False)


def summary(error: Exception) -> str:
    """Return an error's first line, or its type where it says nothing."""
    return str(error).partition("\n")[0] or type(error).__name__


def skeleton() -> Inception3:
    """Return pytorch-fid's network on the meta device: no memory, no initialisation, no download.

    These are the nine blocks that `pytorch_fid.inception.fid_inception_v3` puts in before it downloads the weights.
    """
    with torch.device("meta"):
        network = Inception3(num_classes=1008, aux_logits=False, init_weights=False)
        network.Mixed_5b = fid.FIDInceptionA(192, pool_features=32)
        network.Mixed_5c = fid.FIDInceptionA(256, pool_features=64)
        network.Mixed_5d = fid.FIDInceptionA(288, pool_features=64)
        network.Mixed_6b = fid.FIDInceptionC(768, channels_7x7=128)
        network.Mixed_6c = fid.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6d = fid.FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6e = fid.FIDInceptionC(768, channels_7x7=192)
        network.Mixed_7b = fid.FIDInceptionE_1(1280)
        network.Mixed_7c = fid.FIDInceptionE_2(2048)
    return network


def file_sha256(path: Path) -> str:
    """Return the hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
