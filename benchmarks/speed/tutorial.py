"""The loop that GAN tutorials teach, around any networks: what ganzoo's speed is compared with.

As in PyTorch's own DCGAN example: a DataLoader that turns stored images into tensors one by one, two passes of the
discriminator with a backward each, gradients of the discriminator that the generator's step computes and throws away,
Adam as it is by default, and the losses read on the host at every step. Where a layer of ganzoo's convolves and changes
the side in one, the loop does one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ganzoo.api import Networks
from ganzoo.zoo.architectures.parts import DoublingConv2d, HalvingConv2d

TAUGHT: dict[type[torch.nn.Conv2d], Callable[[torch.nn.Conv2d, Tensor], Tensor]] = {
    HalvingConv2d: lambda one, h: F.avg_pool2d(F.conv2d(h, one.weight, one.bias, padding=1), 2),
    DoublingConv2d: lambda one, h: F.conv2d(F.interpolate(h, scale_factor=2), one.weight, one.bias, padding=1),
}
"""Layers of ganzoo that are two of PyTorch's in one, and the two."""


def as_taught(networks: Networks) -> None:
    """Have networks carry each of these layers out as the two that papers, tutorials and packages have."""
    for network in (networks.generator, networks.body):
        for module in network.modules():
            if type(module) in TAUGHT:
                module.forward = partial(TAUGHT[type(module)], module)


class Stored(Dataset):
    """Images as torchvision's datasets give them: from an array to PIL, then through the transforms."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.transform(Image.fromarray(self.pixels[index]))


class Tutorial:
    """One model in training."""

    def __init__(
        self, networks: Networks, loss: str, n_critic: int, batch: int, pixels: np.ndarray, device: torch.device
    ) -> None:
        as_taught(networks)
        self.generator, self.device = networks.generator, device
        self.body, self.head, self.latent = networks.body, networks.head, networks.latent
        if loss == "hinge":  # with spectral norm, as published
            for module in [*self.body.modules(), *self.head.modules()]:
                if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
                    spectral_norm(module)
        for module in (self.generator, self.body, self.head):
            module.to(device)
        judge = [*self.body.parameters(), *self.head.parameters()]
        self.optimizer_d = torch.optim.Adam(judge, lr=2e-4, betas=(0.5, 0.999))
        self.optimizer_g = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.losses = LOSSES[loss]
        self.n_critic, self.batch = n_critic, batch
        workers = 2
        self.loader = DataLoader(
            Stored(pixels), batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True,
            pin_memory=device.type == "cuda",
        )  # fmt: skip
        self.batches = self._endless()
        self.log: list[tuple[float, float]] = []

    def _endless(self) -> Iterator[Tensor]:
        while True:
            yield from self.loader

    def discriminator(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to logits (N,)."""
        return self.head(self.body(images), None)

    def step(self) -> None:
        """Train n_critic discriminator steps and a generator step."""
        for _ in range(self.n_critic):
            real = next(self.batches).to(self.device)
            fake = self.generator(torch.randn(self.batch, self.latent, device=self.device), None)
            self.optimizer_d.zero_grad()
            lost = self.losses(self, real, fake.detach())
            self.optimizer_d.step()
        self.optimizer_g.zero_grad()
        error = self.generator_loss(self.discriminator(fake))
        error.backward()
        self.optimizer_g.step()
        self.log.append((lost, error.item()))

    def generator_loss(self, logits: Tensor) -> Tensor:
        """Return the non-saturating loss for BCE, and minus the mean for the others."""
        return F.softplus(-logits).mean() if self.losses is _bce else -logits.mean()


def _bce(model: Tutorial, real: Tensor, fake: Tensor) -> float:
    logits = model.discriminator(real)
    on_real = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    on_real.backward()
    logits = model.discriminator(fake)
    on_fake = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
    on_fake.backward()
    return on_real.item() + on_fake.item()


def _hinge(model: Tutorial, real: Tensor, fake: Tensor) -> float:
    lost = F.relu(1 - model.discriminator(real)).mean() + F.relu(1 + model.discriminator(fake)).mean()
    lost.backward()
    return lost.item()


def _wgan_gp(model: Tutorial, real: Tensor, fake: Tensor) -> float:
    epsilon = torch.rand(len(real), 1, 1, 1, device=real.device)
    mixed = (epsilon * real + (1 - epsilon) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(model.discriminator(mixed).sum(), mixed, create_graph=True)
    penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
    lost = model.discriminator(fake).mean() - model.discriminator(real).mean() + penalty
    lost.backward()
    return lost.item()


LOSSES: dict[str, Callable[[Tutorial, Tensor, Tensor], float]] = {
    "bce": _bce,
    "hinge": _hinge,
    "wgan-gp": _wgan_gp,
}
