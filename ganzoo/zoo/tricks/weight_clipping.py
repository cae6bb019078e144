"""Weight clipping for any loss (Arjovsky et al. 2017, algorithm 1)."""

from ganzoo.api import Networks, Player, Trick
from ganzoo.zoo.clipping import clip_weights
from ganzoo.zoo.specs.tricks.penalties import WeightClippingParams


class WeightClipping(Trick[WeightClippingParams]):
    """Keeps the critic in a compact set of weights, and so Lipschitz."""

    def after_step(self, player: Player, networks: Networks, number: int) -> None:
        """Clip: w <- clip(w, -c, c), after each update of the critic."""
        if player == "discriminator":
            clip_weights(networks, self.params.clip)
