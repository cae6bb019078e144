"""Unrolled GANs (Metz et al. 2017)."""

from __future__ import annotations

import torch

from ganzoo.api import Opponent, Step, Trick
from ganzoo.zoo.specs.tricks.diversity import UnrolledParams


class Unrolled(Trick[UnrolledParams]):
    """The generator plays against the discriminator as it will be after K updates, which answer the generator's move.

    theta^k+1 = theta^k - eta dL/dtheta^k (equation 7, with L = -f what the discriminator minimises), on one batch, as
    in section 3. The gradient of the generator's loss at theta^K flows through all updates (equation 10).

    What differs: the experiments unroll Adam, with the moments of the discriminator's own; this is plain descent, as in
    the equations. And the generator minimises its own loss at theta^K, where the surrogate f_K (equation 9) also holds
    the term of the real images, which depends on the generator through theta^K. Penalties that tricks put on the
    discriminator's own weights, such as weight decay, are no part of L: they are at theta^0, which does not move.
    """

    def opponent(self, opponent: Opponent, step: Step) -> Opponent:
        """Return the discriminator after K steps of gradient descent, still attached to the generator."""
        eta = self.params.rate
        for _ in range(self.params.steps):
            names, theta = zip(*opponent.weights.items(), strict=True)
            slopes = torch.autograd.grad(opponent.objective(), theta, create_graph=True, materialize_grads=True)
            moved = (weight - eta * slope for weight, slope in zip(theta, slopes, strict=True))
            opponent = opponent.moved(dict(zip(names, moved, strict=True)))
        return opponent
