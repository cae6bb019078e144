"""The projection discriminator (Miyato & Koyama 2018)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from ganzoo.api import Networks, NoParams, Setting, Trick


class Projection(Trick[NoParams]):
    """Conditions both networks on the class: the generator is given it, the discriminator's logits depend on it."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Put the projection beside the discriminator's own head."""
        return replace(networks, head=ProjectionHead(networks.head, networks.features, setting.classes))


class ProjectionHead(nn.Module):
    """D(x, y) = D(x) + e_y . f(x), with a learned vector e_y for each class (equation 3)."""

    def __init__(self, head: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.head = head
        self.classes = nn.Embedding(classes, features)
        nn.init.xavier_uniform_(self.classes.weight)  # PyTorch's N(0, 1) would drown the other term

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """Map features (N, features) and classes (N,) to logits (N,)."""
        return self.head(features, y) + (self.classes(y) * features).sum(1)
