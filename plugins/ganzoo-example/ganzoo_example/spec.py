"""What ganzoo knows of this plugin without building it. No torch here: listing and planning read this file."""

from ganzoo.api import Paper, Spec

LSGAN = Spec(
    kind="loss",
    target="ganzoo_example.loss:LSGAN",
    summary="least squares: also moves fakes that the discriminator accepts but that lie far from the boundary",
    paper=Paper("Least Squares Generative Adversarial Networks", 2017, "arXiv:1611.04076"),
    provides={"targets"},
)
