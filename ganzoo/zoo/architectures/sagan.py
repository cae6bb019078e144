"""SAGAN: a ResNet with self-attention in both networks (Zhang et al. 2019), for images of side 32, 64 or 128.

The network and the attention are the authors' release's, which differ from section 3: keys and values are pooled by 2,
and the values have C / 2 channels instead of C / 8. The paper is about 128x128, with attention over maps of 32x32; the
places in smaller networks, and the discriminator for 64x64, are StudioGAN's. The paper normalises the weights of both
networks spectrally and projects classes: these are the tricks `spectral-norm:generator=true` and `projection`.

Compared with github.com/kwotsin/mimicry at commit a7fda06, at 32x32, in float64, with the same weights and no spectral
norm: as many parameters, and the same outputs up to rounding, with the two changes that `resnet` names and once the
attention stands behind the discriminator's first block, as in StudioGAN's code, instead of the second.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures import resnet
from ganzoo.zoo.architectures.parts import glorot
from ganzoo.zoo.specs.architectures.residual import SAGANParams

PLANS = resnet.PLANS | {64: resnet.PLANS[64]._replace(halvings=4)}


def build(params: SAGANParams, setting: Setting) -> Networks:
    """Build both networks with Glorot weights and zero biases."""
    side = setting.shape[1]
    plan = PLANS[side]
    generator = resnet.Generator(params.latent, plan, params.width, setting, gain=1.0)
    body = resnet.Body(plan, params.critic_width, setting, gain=1.0, wide=True)
    attended = min(params.attention, side // 2)  # the discriminator's first block halves the side before any map
    doublings, halvings = _halvings(attended, plan.start), _halvings(side, attended)
    generator.blocks.insert(doublings, SelfAttention(params.width * plan.up[doublings]))
    body.blocks.insert(halvings, SelfAttention(params.critic_width * plan.down[halvings - 1]))
    head = resnet.glorot_head(body.features)
    return Networks(generator, body, head, latent=params.latent, features=body.features)


def _halvings(side: int, least: int) -> int:
    """Return how many halvings lie between two sides that are powers of 2."""
    return side.bit_length() - least.bit_length()


class SelfAttention(nn.Module):
    """y = gamma o + x: each place of the map also sees all others (section 3); gamma starts at 0.

    Written out, as PyTorch's fused attention cannot be differentiated twice, which gradient penalties need.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.f = glorot(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.g = glorot(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.h = glorot(nn.Conv2d(channels, channels // 2, 1, bias=False))
        self.v = glorot(nn.Conv2d(channels // 2, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Map (N, C, h, w) to the same shape, whatever the classes; h and w are even."""
        g = self.g(x).flatten(2)  # (N, C / 8, j), with j = h * w places that look
        f = F.max_pool2d(self.f(x), 2).flatten(2)  # (N, C / 8, i), with i = h * w / 4 places that are looked at
        h = F.max_pool2d(self.h(x), 2).flatten(2)  # (N, C / 2, i)
        beta = (g.mT @ f).softmax(2)  # (N, j, i): beta_ji of equation 1
        o = self.v((h @ beta.mT).unflatten(2, x.shape[2:]))  # (N, C / 2, j) -> (N, C / 2, h, w) -> (N, C, h, w)
        return self.gamma * o + x
