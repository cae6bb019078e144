"""What the fully connected architectures declare. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Recipe, Spec, param


@dataclass(frozen=True)
class MLPParams:
    """Widths of the fully connected GANs that tutorials teach; the paper leaves them open."""

    latent: int = param(100, "length of the latent vector", low=1)
    generator: tuple[int, ...] = param((256, 512, 1024), "widths of the generator's hidden layers", low=1)
    discriminator: tuple[int, ...] = param((1024, 512, 256), "widths of the discriminator's hidden layers", low=1)
    critic_norm: str = param(
        "none", "norm of the discriminator", choices=("none", "batch", "layer"), trait="critic-norm"
    )
    norm: str = param("batch", "norm of the generator", choices=("batch", "layer", "none"))
    norm_place: str = param(
        "before", "the generator's norm stands before or behind its activation", choices=("before", "after")
    )
    momentum: float = param(
        0.9,  # PyTorch's default; it counts the rest, 0.1
        "share of its statistics that the generator's batch norm keeps each step, as Keras counts it",
        low=0,
        high=1,
    )
    activation: str = param("leaky-relu", "activation of the generator's hidden layers", choices=("leaky-relu", "relu"))
    slope: float = param(0.2, "negative slope of LeakyReLU; 0 makes it ReLU", low=0, high=1)
    output: str = param("tanh", "what bounds the generator's pixels", choices=("tanh", "sigmoid"))


MLP = Spec(
    kind="architecture",
    target="ganzoo.zoo.architectures.mlp:build",
    summary="fully connected networks, for any image shape",
    paper=Paper("Generative Adversarial Nets", 2014, "arXiv:1406.2661"),
    params=MLPParams,
    recipe=Recipe(optimizer="adam", generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.5, beta2=0.999),
)
