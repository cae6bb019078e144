"""Virtual batch normalisation (Salimans et al. 2016, section 3.4)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.api import Networks, Setting, Trick
from ganzoo.errors import IncompatibleError
from ganzoo.zoo.specs.tricks.normalisation import VirtualBatchNormParams


class VirtualBatchNorm(Trick[VirtualBatchNormParams]):
    """Replaces the batch norms of the generator, the one network for which the paper can afford the second pass."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Draw the reference batch from the seed of the weights, and have the generator carry it along.

        Raises:
            IncompatibleError: there is no batch norm to replace.
        """
        count = self.params.reference
        found = [name for name, module in networks.generator.named_modules() if isinstance(module, _BatchNorm)]
        if not found:
            raise IncompatibleError("virtual-batch-norm: this generator has no batch norm; drop the trick")
        for name in found:
            parent, _, own = name.rpartition(".")
            norm = networks.generator.get_submodule(name)
            assert isinstance(norm, _BatchNorm)
            setattr(networks.generator.get_submodule(parent), own, VirtualNorm(norm, count))
        z = torch.randn(count, networks.latent)
        y = torch.arange(count) % setting.classes if setting.classes else None  # every class as often
        return replace(networks, generator=WithReference(networks.generator, z, y))


class WithReference(nn.Module):
    """A generator that takes its reference batch along; a buffer, so that it is saved, copied and loaded."""

    def __init__(self, generator: nn.Module, z: Tensor, y: Tensor | None) -> None:
        super().__init__()
        self.generator = generator
        self.z: Tensor
        self.y: Tensor | None
        self.register_buffer("z", z)
        self.register_buffer("y", y)

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, H, W); none depends on the others of its batch."""
        both = None if y is None or self.y is None else torch.cat([self.y, y])
        return self.generator(torch.cat([self.z, z]), both)[len(self.z) :]


class VirtualNorm(nn.Module):
    """Normalises each sample by statistics of the reference batch and of itself alone."""

    def __init__(self, norm: _BatchNorm, reference: int) -> None:
        """Take a batch norm's place and its affine weights, for batches that start with the reference."""
        super().__init__()
        self.reference = reference
        self.eps = norm.eps
        self.weight, self.bias = norm.weight, norm.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (reference + N, C, ...) to the same shape.

        The reference is normalised by its own statistics. A sample is one more to the reference's n: its own mean and
        mean square have the weight 1 / (n + 1), as in the authors' code; here they are written as mean and variance.
        Like PyTorch's batch norm it computes in float32 what comes in bfloat16, and gives back bfloat16.
        """
        n = self.reference
        flat = x.reshape(*x.shape[:2], -1)  # (n + N, C, ...) -> (n + N, C, positions)
        flat = flat.to(torch.promote_types(x.dtype, torch.float32))
        var, mean = torch.var_mean(flat, 2, correction=0, keepdim=True)  # of each sample, (n + N, C, 1)
        centre = mean[:n].mean(0, keepdim=True)
        spread = (var[:n] + (mean[:n] - centre).square()).mean(0, keepdim=True)
        step = (mean[n:] - centre) / (n + 1)
        mean = torch.cat([centre.expand(n, -1, -1), centre + step])
        var = torch.cat([spread.expand(n, -1, -1), (n * spread + var[n:]) / (n + 1) + n * step.square()])
        normal = (flat - mean) * (var + self.eps).rsqrt()
        if self.weight is not None:
            normal = normal * self.weight[:, None] + self.bias[:, None]
        return normal.view_as(x).to(x.dtype)
