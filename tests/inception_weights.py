"""A random Inception network whose activations are sane: it stands in for the weights that tests cannot download."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import Inception3

from ganzoo.zoo.extractors.inception import skeleton

FILE = "pt_inception-2015-12-05-6726825d.pth"
SHIFT = 2.0
"""Of the batch norms, so that most activations pass their ReLU. Without it a random network is chaotic: batch norm and
ReLU amplify a difference layer by layer (Yang et al., 2019, arXiv:1902.08129), rounding errors some 50 times."""


def save_random_inception(torch_home: Path, images: Tensor, seed: int = 0) -> Path:
    """Save a calibrated random network where torch looks for the official one when TORCH_HOME is `torch_home`.

    `images`, uint8 of shape (N, 1 or 3, H, W), calibrate the batch norms; eight are enough and take seconds.
    """
    path = torch_home / "hub" / "checkpoints" / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(random_inception(images, seed).state_dict(), path)
    return path


def random_inception(images: Tensor, seed: int = 0) -> Inception3:
    """Return a network with He-initialised weights, whose batch norms hold the statistics of `images`."""
    network = skeleton().to_empty(device="cpu").eval().requires_grad_(False)
    initialise(network, torch.Generator().manual_seed(seed))
    calibrate(network, images)
    return network


def initialise(network: Inception3, rng: torch.Generator) -> None:
    """Give every layer normal weights of variance 2 / fan-in (He et al., 2015), the norms a shift, the last a bias."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.bias.fill_(SHIFT)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.normal_(0, math.sqrt(2 / module.weight[0].numel()), generator=rng)
    network.fc.bias.normal_(generator=rng)


@torch.no_grad()
def calibrate(network: Inception3, images: Tensor) -> None:
    """Set the batch norms' running statistics to those of one batch, in a single pass."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0  # the running statistics become the batch's own
    colour = F.interpolate(images.expand(-1, 3, -1, -1).float() / 127.5 - 1, (299, 299), mode="bilinear")
    network(colour.contiguous(memory_format=torch.channels_last))
    for norm in norms:
        norm.eval().momentum = 0.1
