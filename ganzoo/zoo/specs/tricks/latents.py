"""What the tricks on latents declare. No torch."""

from __future__ import annotations

from ganzoo.api import Paper, Spec

UNIFORM_LATENT = Spec(
    kind="trick",
    target="ganzoo.zoo.tricks.uniform_latent:UniformLatent",
    summary="latents drawn uniformly from [-1, 1], as DCGAN does",
    paper=Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        2016,
        "arXiv:1511.06434",
    ),
)
