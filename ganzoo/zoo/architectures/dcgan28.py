"""The 28x28 network of TensorFlow's tutorial "Deep Convolutional Generative Adversarial Network".

After DCGAN (Radford, Metz & Chintala 2016), with 5x5 convolutions, LeakyReLU in both networks, and dropout in place of
batch norm in the discriminator. What the tutorial leaves to Keras is written out here: Glorot weights and zero biases,
and batch norm that keeps 0.99 of its statistics a step, with an epsilon of 1e-3.

Keras pads a 5x5 convolution of stride 2 and an even side by one pixel before and two behind ("same"), PyTorch by the
same number on both sides. So images are padded by hand, and a transposed convolution, which is the transpose of that,
is cut by one row and column before and two behind: padding 1 cuts one on each side, and one more is cut by hand.
"""

from __future__ import annotations

from torch import Tensor, nn

from ganzoo.api import Networks, Setting
from ganzoo.zoo.architectures.parts import Head, class_vectors, glorot, with_class
from ganzoo.zoo.specs.architectures.convolutional import DCGAN28Params

START = (256, 7, 7)
FEATURES = 128 * 7 * 7


def build(params: DCGAN28Params, setting: Setting) -> Networks:
    """Build both networks with Keras' default weights."""
    head = Head(FEATURES)
    glorot(head.linear)
    return Networks(Generator(params, setting), Body(params, setting), head, latent=params.latent, features=FEATURES)


class Generator(nn.Module):
    """Projects z to a 7x7 image of 256 channels, and doubles its side twice."""

    def __init__(self, params: DCGAN28Params, setting: Setting) -> None:
        super().__init__()
        channels = setting.shape[0]
        self.classes = class_vectors(setting.classes, params.latent)
        width = START[0] * START[1] * START[2]
        self.layers = nn.Sequential(
            glorot(nn.Linear(params.latent * (2 if setting.classes else 1), width, bias=False)),
            nn.BatchNorm1d(width, eps=1e-3, momentum=0.01),  # of each unit, as it stands before the tutorial's reshape
            nn.LeakyReLU(params.slope),
            nn.Unflatten(1, START),  # (N, 256 * 7 * 7) -> (N, 256, 7, 7)
            glorot(nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False)),  # -> (N, 128, 7, 7)
            *_norm(128, params.slope),
            *_double(128, 64),  # -> (N, 64, 14, 14)
            *_norm(64, params.slope),
            *_double(64, channels),  # -> (N, C, 28, 28)
            nn.Tanh(),
        )

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Map (N, latent) and (N,) classes to images (N, C, 28, 28) in [-1, 1]."""
        return self.layers(with_class(z, y, self.classes))


class Body(nn.Module):
    """Halves the side twice; dropout draws from PyTorch's own generator."""

    def __init__(self, params: DCGAN28Params, setting: Setting) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_halve(setting.shape[0] * setting.packing, 64),  # -> (N, 64, 14, 14)
            nn.LeakyReLU(params.slope),
            nn.Dropout(params.dropout),
            *_halve(64, 128),  # -> (N, 128, 7, 7)
            nn.LeakyReLU(params.slope),
            nn.Dropout(params.dropout),
            nn.Flatten(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C * packing, 28, 28) to features (N, features)."""
        return self.layers(images)


def _norm(channels: int, slope: float) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01), nn.LeakyReLU(slope)]


def _double(before: int, after: int) -> list[nn.Module]:
    cut = nn.ZeroPad2d((0, -1, 0, -1))  # the last row and column of 2 side + 1
    return [glorot(nn.ConvTranspose2d(before, after, 5, 2, 1, bias=False)), cut]


def _halve(before: int, after: int) -> list[nn.Module]:
    return [nn.ZeroPad2d((1, 2, 1, 2)), glorot(nn.Conv2d(before, after, 5, 2))]
