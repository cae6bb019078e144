"""What tricks with an opinion on the networks' weights share: whose they are, and what the optimiser sees of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ganzoo.api import Networks, Player
from ganzoo.errors import IncompatibleError

One = TypeVar("One")
PLAYERS: tuple[Player, Player] = ("discriminator", "generator")
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FILTERING = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
"""Layers whose weight is a set of filters, one for each output."""
WEIGHTED = (*FILTERING, nn.Embedding)
"""Layers whose weight is a matrix, or is taken for one."""


def parts(networks: Networks, player: Player) -> nn.ModuleList:
    """Return what a player trains of the networks."""
    return nn.ModuleList([networks.generator] if player == "generator" else [networks.body, networks.head])


def layers(network: nn.Module, kinds: tuple[type[nn.Module], ...] = FILTERING) -> Iterator[nn.Module]:
    """Yield the layers of a network that are of these kinds."""
    return (module for module in network.modules() if isinstance(module, kinds))


def some_of(found: Iterable[One], trick: str, player: Player) -> list[One]:
    """Return what a trick has found in a player's networks.

    Raises:
        IncompatibleError: that is nothing, as where all layers are of the architecture's own making.
    """
    chosen = list(found)
    if not chosen:
        raise IncompatibleError(f"{trick}: this {player} has none of the layers of torch.nn that it acts on; drop it")
    return chosen


def to_vector(weights: Iterable[Tensor]) -> Tensor:
    """Return all numbers of some weights as one vector, in an order that no memory format changes."""
    return torch.cat([weight.flatten() for weight in weights])  # PyTorch's own takes none but the default format


def free_weight(layer: nn.Module) -> Tensor:
    """Return the weight that the optimiser moves: that before spectral norm, or another parametrisation, acts on it.

    To read the other one would be a power iteration.
    """
    if is_parametrized(layer, "weight"):
        return layer.get_parameter("parametrizations.weight.original")
    return layer.get_parameter("weight")
