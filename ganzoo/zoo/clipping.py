"""Weight clipping (Arjovsky et al. 2017, algorithm 1), which a loss and a trick share."""

import torch

from ganzoo.api import Networks


@torch.no_grad()
def clip_weights(networks: Networks, c: float) -> None:
    """Move every weight of the critic, biases and the affine weights of norms too, into [-c, c], in place."""
    for network in (networks.body, networks.head):
        for weight in network.parameters():
            weight.clamp_(-c, c)
