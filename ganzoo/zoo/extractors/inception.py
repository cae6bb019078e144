"""The Inception network of 2015-12-05, as pytorch-fid ported it: what FID, IS and KID are defined on.

The weights are never part of ganzoo. They are read from `$TORCH_HOME/hub/checkpoints`, where pytorch-fid keeps them
too, and downloaded to that place when they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from pytorch_fid import inception as fid
from torch import Tensor, nn
from torchvision.models.inception import Inception3

from ganzoo.api import Extracted, Extractor
from ganzoo.errors import WeightsError
from ganzoo.zoo.extractors.hub import download, file_sha256, hub_path, summary
from ganzoo.zoo.extractors.inception_fused import fused
from ganzoo.zoo.extractors.tf_resize import resize_bilinear
from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256, InceptionParams

SIZE = 299
"""Height and width of what the network sees."""
CHUNK = 8
"""Images per pass on a CPU, however many the caller brings, or one per thread if that is more.

glibc keeps no tensor above 32 MB for later: each is memory that the system has to clear anew.
"""
GPU_CHUNK = 256


@dataclass(frozen=True)
class Protocol:
    """How images reach the network. Features of two protocols are never compared."""

    resize: str
    prepare: Callable[[Tensor], Tensor]
    """float32 images of shape (N, C, H, W) in [0, 255] -> (N, C, 299, 299) in [-1, 1]; may write into what it gets."""


def prepare_pytorch_fid(images: Tensor) -> Tensor:
    """Do in place what `pytorch_fid.inception.InceptionV3` does to images in [0, 1], in its order of rounding."""
    resized = F.interpolate(images.div_(255), (SIZE, SIZE), mode="bilinear", align_corners=False)
    return resized.mul_(2).sub_(1)


def prepare_tf_compat(images: Tensor) -> Tensor:
    """Do what the graph of 2015-12-05 does: resize pixels, subtract 128, divide by 128; 255 becomes 0.9921875."""
    return resize_bilinear(images, SIZE).sub_(128).div_(128)


PROTOCOLS = {
    "pytorch-fid": Protocol("bilinear, align_corners=False, to 299x299 (pytorch-fid)", prepare_pytorch_fid),
    "tf-compat": Protocol("bilinear, TensorFlow 1, to 299x299, (x - 128) / 128 (torch-fidelity)", prepare_tf_compat),
}


class InceptionExtractor:
    """The network behind the Extractor contract: 2048 pooled features and 1008 logits."""

    def __init__(self, path: Path, protocol: Protocol) -> None:
        """Load the weights in a file, and take its hash.

        Raises:
            WeightsError: the file is damaged or holds something else.
        """
        network = load(path)
        self.sha256 = file_sha256(path)
        self.resize = protocol.resize
        self.prepare = protocol.prepare
        self.logits = nn.Linear(2048, 1008, bias=False, device="meta")
        self.logits.weight = network.fc.weight
        self.network = fused(network)
        self.to("cpu")

    def to(self, device: torch.device | str) -> InceptionExtractor:
        """Move to a device and return self."""
        on_cpu = torch.device(device).type == "cpu"
        self.layout = torch.channels_last if on_cpu else torch.contiguous_format  # oneDNN's favourite; PyTorch's own
        self.chunk = max(CHUNK, torch.get_num_threads()) if on_cpu else GPU_CHUNK
        self.network.to(memory_format=self.layout).to(device)
        self.logits.to(device)
        return self

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Extracted:
        """Map uint8 images of shape (N, 1 or 3, H, W) to features (N, 2048) and logits (N, 1008), float32.

        Grey is repeated to three channels. The logits leave out the last layer's bias, as the Inception score's first
        implementation did (Salimans et al., 2016, arXiv:1606.03498).
        """
        with torch.autocast(images.device.type, enabled=False):  # scores are float32, whatever a caller has switched on
            features = torch.cat([self._features(part) for part in images.split(self.chunk)])
            return Extracted(features, self.logits(features))

    def _features(self, images: Tensor) -> Tensor:
        """Map a few images to (n, 2048); the layout is settled while they are small."""
        colour = images.expand(-1, 3, -1, -1).to(torch.float32, memory_format=self.layout, copy=True)
        return self.network(self.prepare(colour).contiguous(memory_format=self.layout))


def inception(params: InceptionParams) -> Extractor:
    """Return the network with the weights in torch's hub folder, downloading them when they are missing."""
    path = weights_path()
    if not path.exists():
        download(fid.FID_WEIGHTS_URL, path, "the Inception weights", INCEPTION_2015_SHA256)
    return InceptionExtractor(path, PROTOCOLS[params.protocol])


def weights_path() -> Path:
    """Return where the weights belong."""
    return hub_path(fid.FID_WEIGHTS_URL)


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
