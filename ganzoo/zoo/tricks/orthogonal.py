"""Orthogonal regularisation without the diagonal (Brock et al. 2019, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganzoo.api import Networks, Player, Setting, Step, Terms, Trick
from ganzoo.zoo.specs.tricks.weights import OrthogonalParams
from ganzoo.zoo.weights import PLAYERS, TRANSPOSED, free_weight, layers, parts, some_of


class Orthogonal(Trick[OrthogonalParams]):
    """Makes the filters of each layer orthogonal and leaves their lengths free, so that G is smooth in z.

    The paper's generators then bear truncated latents. Embeddings have no filters and are left out, as the class
    embedding is in the authors' release.
    """

    def modules(self, networks: Networks, setting: Setting) -> Mapping[Player, nn.Module]:
        """Note the layers, as all tricks have made them; nothing is added.

        Raises:
            IncompatibleError: a player that is to pay has none.
        """
        players = PLAYERS if self.params.discriminator else ("generator",)
        self.layers = {player: some_of(layers(parts(networks, player)), "orthogonal", player) for player in players}
        return {}

    def discriminator(self, step: Step) -> Terms:
        """The discriminator's penalty, where it was asked for."""
        return self._penalty("discriminator") if self.params.discriminator else {}

    def generator(self, step: Step) -> Terms:
        """The generator's penalty."""
        return self._penalty("generator")

    def _penalty(self, player: Player) -> Terms:
        """R_beta = beta sum_W ||W^T W * (1 - I)||_F^2 (equation 3)."""
        penalties = [off_diagonal(filters(layer)) for layer in self.layers[player]]
        return {"penalty": self.params.beta * torch.stack(penalties).sum()}


def filters(layer: nn.Module) -> Tensor:
    """Return a layer's filters as rows: (groups, filters of a group, length). Those of two groups never meet."""
    groups: int = getattr(layer, "groups", 1)
    weight = free_weight(layer).unflatten(0, (groups, -1))
    if isinstance(layer, TRANSPOSED):
        weight = weight.transpose(1, 2)  # (groups, in, out, ...) -> (groups, out, in, ...)
    return weight.flatten(2)  # (groups, out, in, ...) -> (groups, out, length)


def off_diagonal(w: Tensor) -> Tensor:
    """Return the sum over all pairs of different filters of their squared product, for filters (groups, n, length).

    The rows of w are the columns of the paper's W. Where filters outnumber their length, the sum over all pairs comes
    from the smaller matrix w^T w, which has the same Frobenius norm as w w^T.
    """
    _, n, length = w.shape
    if n <= length:
        return 2 * (w @ w.mT).triu(1).square().sum()
    return (w.mT @ w).square().sum() - w.square().sum(2).square().sum()
