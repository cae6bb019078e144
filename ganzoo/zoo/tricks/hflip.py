"""Horizontal flips of the dataset, as GAN toolkits such as StudioGAN apply them."""

from torch import Generator, Tensor

from ganzoo.api import NoParams, Trick
from ganzoo.zoo.transforms import flip


class HFlip(Trick[NoParams]):
    """Doubles the dataset by its mirror images; the generator learns to draw both."""

    def real(self, images: Tensor, rng: Generator) -> Tensor:
        """Mirror each image with probability 1/2."""
        return flip(images, rng)
