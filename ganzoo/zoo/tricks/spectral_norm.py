"""Spectral normalisation (Miyato et al. 2018)."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.api import Part, Trick
from ganzoo.zoo.specs.tricks import SpectralNormParams

WEIGHTED = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)


class SpectralNorm(Trick[SpectralNormParams]):
    """Divides each weight by an estimate of its largest singular value (algorithm 1), kept in buffers u and v."""

    def wrap(self, network: nn.Module, part: Part) -> nn.Module:
        """Normalise every linear, embedding and convolution weight of the part."""
        if part == "generator" and not self.params.generator:
            return network
        for module in network.modules():
            if isinstance(module, WEIGHTED):
                spectral_norm(module, n_power_iterations=self.params.iterations)
        return network
