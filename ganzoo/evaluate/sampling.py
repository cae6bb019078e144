"""Draw images from a generator as the protocol asks: eval mode, a seed of its own, rounded as the data is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ganzoo.data.batches import to_pixels
from ganzoo.evaluate.scorer import BATCH

Latents = Callable[[int, torch.Generator], Tensor]


def sample(
    network: nn.Module,
    latents: Latents,
    count: int,
    rng: torch.Generator,
    labels: Tensor | None = None,
    quantise: bool = True,
) -> Iterator[Tensor]:
    """Yield `count` generated images as batches of shape (n, C, H, W).

    The generator's mode is put back afterwards; no state of training is touched.

    Args:
        network: the generator, (z, y) -> images in [-1, 1].
        latents: draws z of shape (n, latent) from a random generator.
        count: images in all.
        rng: on the device of the network.
        labels: (count,) classes for a conditional generator.
        quantise: round to uint8 pixels; float32 points stay what they are.
    """
    training = network.training
    network.eval()
    try:
        for start in range(0, count, BATCH):
            y = None if labels is None else labels[start : start + BATCH]
            with torch.inference_mode():  # not across the yield, where other runs have their turn
                images = network(latents(min(BATCH, count - start), rng), y)
                images = to_pixels(images) if quantise else images.float()
            yield images
    finally:
        network.train(training)
