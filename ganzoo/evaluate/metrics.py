"""The metrics that a grid can be scored with: their names, columns and needs. No torch: plans and tables read it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

Score = dict[str, float]
"""What one set of images scores: a value for each column's key."""


@dataclass(frozen=True)
class Column:
    """One number of a score."""

    key: str
    name: str
    """Under the 2015 Inception network."""
    renamed: str = ""
    """Prefix of `-<extractor>` under any other network; empty if the name does not depend on the network."""
    better: Literal["lower", "higher"] = "higher"
    digits: int = 2


@dataclass(frozen=True)
class Metric:
    """A measure of quality or variety, in one or several columns."""

    name: str
    summary: str
    columns: tuple[Column, ...]
    uses: frozenset[Literal["features", "logits", "classes", "good"]] = frozenset()
    """What must be kept of every sample; the moments of the features are always there."""
    trait: str = ""
    """What the extractor must provide."""
    pairs: bool = False
    """Whether it compares features of single samples with those of real ones, and not only with their moments."""


_ALL = (
    Metric(
        "fid",
        "Fréchet distance between Gaussians fitted to features (Heusel et al. 2017)",
        (Column("fid", "FID", "FD", "lower"),),
    ),
    Metric(
        "is",
        "inception score, of whatever classifier the extractor is (Salimans et al. 2016)",
        (Column("is", "IS", "CS"),),
        frozenset({"logits"}),
        "classes",
    ),
    Metric(
        "kid",
        "kernel distance: unbiased squared MMD with a cubic kernel (Bińkowski et al. 2018)",
        (Column("kid", "KID", "KD", "lower", digits=5),),
        frozenset({"features"}),
        pairs=True,
    ),
    Metric(
        "prdc",
        "precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020)",
        tuple(Column(name, name, digits=3) for name in ("precision", "recall", "density", "coverage")),
        frozenset({"features"}),
        pairs=True,
    ),
    Metric(
        "fid-infinity",
        "Fréchet distance extrapolated to infinitely many generated images (Chong & Forsyth 2020)",
        (Column("fid_infinity", "FID∞", "FD∞", "lower"),),
        frozenset({"features"}),
    ),
    Metric(
        "modes",
        "modes found, and the divergence of their histogram from a uniform one (Lin et al. 2018)",
        (Column("modes", "modes", digits=1), Column("kl", "KL", better="lower", digits=3)),
        frozenset({"classes", "good"}),
        "classes",
    ),
    Metric(
        "quality",
        "share of samples within three standard deviations of a mode (Srivastava et al. 2017)",
        (Column("quality", "high quality", digits=3),),
        frozenset({"good"}),
        "quality",
    ),
)
METRICS = {metric.name: metric for metric in _ALL}


def columns(names: Iterable[str]) -> list[Column]:
    """Return the columns of these metrics, in their order."""
    return [column for name in names for column in METRICS[name].columns]


def rank(score: Score, metric: str) -> tuple[float, ...]:
    """Return a key that sorts scores by a metric, the best first; later columns decide between equal values."""
    return tuple(
        score[column.key] if column.better == "lower" else -score[column.key] for column in METRICS[metric].columns
    )


def paired(names: Iterable[str]) -> list[str]:
    """Return the metrics that need the features of single real images; no metric needs their logits."""
    return [name for name in names if METRICS[name].pairs]


def uses(names: Collection[str]) -> set[str]:
    """Return what must be kept of every sample for these metrics."""
    return {use for name in names for use in METRICS[name].uses}


def brief(score: Score) -> str:
    """Return a score as a short text, without the feature network's name: `FD 3.21`."""
    told = [column for column in columns(METRICS) if column.key in score]
    return ", ".join(f"{one.renamed or one.name} {score[one.key]:.{one.digits}f}" for one in told)
