"""R3GAN's class conditioning of the discriminator (Huang et al. 2024, as in the authors' code)."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn

from ganzoo.api import Networks, NoParams, Setting, Trick
from ganzoo_r3gan.networks import class_embedding, scaled


class Projection(Trick[NoParams]):
    """Conditions both networks on the class: the generator is given it, the discriminator's logits depend on it."""

    def wrap(self, networks: Networks, setting: Setting) -> Networks:
        """Put the projection in place of the discriminator's own head."""
        return replace(networks, head=ProjectionHead(networks.features, setting.classes))


class ProjectionHead(nn.Module):
    """D(x, y) = e_y . W f(x), with a learned vector e_y for each class and a learned square matrix W.

    The projection discriminator of Miyato & Koyama (2018) adds e_y . f(x) to logits that know no class. Either head can
    be any linear function of the features for each class. But they do not learn alike: here no part of the answer is
    common to all classes, what one class learns of W serves all, and the optimiser moves the factors of a product.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = scaled(nn.Linear(features, features, bias=False))
        self.classes = class_embedding(classes, features, gain=1 / math.sqrt(features))

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """Map features (N, features) and classes (N,) to logits (N,)."""
        return (self.linear(features) * self.classes(y)).sum(1)
