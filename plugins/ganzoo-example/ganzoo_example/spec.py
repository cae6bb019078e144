"""What ganzoo knows of this plugin without building it. No torch here: listing and planning read this file."""

from dataclasses import dataclass

from ganzoo.api import Paper, Spec, param


@dataclass(frozen=True)
class FGANParams:
    """Nowozin et al. 2016 try many divergences; Pearson's makes the simplest game."""

    divergence: str = param("pearson", "divergence from data to generator", choices=("pearson", "kl", "gan"))


FGAN = Spec(
    kind="loss",
    target="ganzoo_example.loss:FGAN",
    summary="f-divergences: the discriminator estimates the one you choose, the generator makes it small",
    paper=Paper(
        "f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization", 2016, "arXiv:1606.00709"
    ),
    params=FGANParams,
)
