"""Weights that a network computes from others, such as spectral norm's: computed before a pass, and given to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrize import ParametrizationList


class Computed(ParametrizationList):
    """A weight that is computed from others unless it is given."""

    given: Tensor | None

    def forward(self) -> Tensor:
        """Return the weight."""
        return super().forward() if self.given is None else self.given


def computed_weights(among: Iterable[Any]) -> list[Computed]:
    """Return the computed weights of the networks among these, each once; they can be given from now on."""
    networks = (one for one in among if isinstance(one, nn.Module))
    found = {
        id(module): cast("Computed", module)
        for network in networks
        for module in network.modules()
        if isinstance(module, ParametrizationList)
    }
    for weight in found.values():
        weight.__class__ = Computed
        vars(weight).setdefault("given", None)
    return list(found.values())


@contextmanager
def given(weights: Sequence[Computed], values: Sequence[Tensor]) -> Iterator[None]:
    """Give these values to the weights, which compute none in the meantime."""
    try:
        for weight, value in zip(weights, values, strict=True):
            vars(weight)["given"] = value  # it may be a parameter, and is not the network's
        yield
    finally:
        for weight in weights:
            vars(weight)["given"] = None


def computed(weights: Sequence[Computed]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the weights and what their buffers become, and change nothing.

    A compiled function must not save a buffer for its backward pass and change it, since a second pass would change
    it again.
    """
    values: list[Tensor] = []
    after: list[Tensor] = []
    for weight in weights:
        buffers = {name: buffer.clone() for name, buffer in weight.named_buffers()}
        values.append(functional_call(weight, buffers, ()))
        after += buffers.values()
    return values, after
