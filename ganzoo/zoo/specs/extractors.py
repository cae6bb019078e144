"""The feature networks for metrics that come with ganzoo. No torch."""

from __future__ import annotations

from ganzoo.api import Paper, Spec

INCEPTION_2015_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of `pt_inception-2015-12-05-6726825d.pth`: the only weights whose scores are called FID, IS and KID."""

DIGITS_CNN = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.classifier:digits_cnn",
    summary="small classifier of 8x8 digits, 32 features; weights included",
)

MNIST_CNN = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.classifier:mnist_cnn",
    summary="small classifier of MNIST digits, 64 features; weights included",
)

INCEPTION = Spec(
    kind="extractor",
    target="ganzoo.zoo.extractors.inception:inception",
    summary="the Inception network of FID and IS, 2048 features; weights from $TORCH_HOME or downloaded (96 MB)",
    paper=Paper(
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017, "arXiv:1706.08500"
    ),
)
