"""What ganzoo knows of this plugin without building it. No torch here: listing and planning read this file.

The defaults are those of the paper's MNIST model (appendix C.1), as launchers/run_mnist_exp.py of
github.com/openai/InfoGAN trains it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ganzoo.api import Paper, Setting, Spec, param


@dataclass(frozen=True)
class InfoGANParams:
    """The MNIST model: one code for ten kinds, two continuous ones, each term with lambda = 1, and Q's sigma fixed."""

    categorical: int = param(1, "categorical codes", low=0)
    categories: int = param(10, "values of each categorical code", low=2)
    continuous: int = param(2, "continuous codes, uniform in [-1, 1]", low=0)
    noise: str = param(
        "uniform", "what the rest of the latent is: in [-1, 1], or normal", choices=("uniform", "normal")
    )
    weight: float = param(1.0, "weight lambda of the information in categorical codes", low=0)
    continuous_weight: float = param(1.0, "weight lambda of the information in continuous codes", low=0)
    learn_sd: bool = param(False, "let Q predict how sure it is of continuous codes; else its sigma is 1")

    @property
    def one_hot(self) -> int:
        """Entries of the latent that hold categorical codes."""
        return self.categorical * self.categories

    @property
    def length(self) -> int:
        """Entries of the latent that hold codes."""
        return self.one_hot + self.continuous


def _refuses(params: InfoGANParams, setting: Setting) -> str | None:
    if not params.length:
        return "it has no codes; set categorical or continuous above 0"
    if setting.packing > 1:
        return "images that are judged together share their features, and it reads each image's codes from its own"
    return None


INFOGAN = Spec(
    kind="trick",
    target="ganzoo_infogan.trick:InfoGAN",
    summary="codes in the latent that images reveal: kinds and directions of the data, found without labels",
    paper=Paper(
        "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets",
        2016,
        "arXiv:1606.03657",
    ),
    params=InfoGANParams,
    provides=("latent-prior",),
    conflicts={"latent-prior": "its codes are part of the latent, and another prior would overwrite them"},
    refuse=_refuses,
)
