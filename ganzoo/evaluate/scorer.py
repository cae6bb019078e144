"""Score images: one pass through a feature network, then every metric from its output."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ganzoo.api import Extracted, Extractor
from ganzoo.errors import ContractError
from ganzoo.evaluate.classifier_score import classifier_score
from ganzoo.evaluate.frechet import frechet_distance, frechet_distance_infinity
from ganzoo.evaluate.kernel_distance import kernel_distance
from ganzoo.evaluate.manifold import manifold, squared_radii
from ganzoo.evaluate.metrics import Score, uses
from ganzoo.evaluate.mode_coverage import modes
from ganzoo.evaluate.moments import MomentAccumulator, Moments

BATCH = 256
"""Images per pass through the feature network; does not change a score beyond rounding."""


@dataclass(frozen=True)
class Evidence:
    """A feature network's output for a set of images, as far as the metrics need it."""

    moments: Moments
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    """`features` (N, D), `logits` (N, K), `classes` (N,) and `good` (N,), of those that the metrics use; of real images
    also `radii` (N,), what `with_radii` adds."""
    classes: int = 0
    """Number of classes that the network tells apart; 0 for none."""
    device: str = "cpu"
    """Where the images were, and where the metrics of generated images compute their matrix products."""


class Extraction:
    """Passes images through a network, a batch at a time, and keeps what the metrics use."""

    def __init__(
        self, extractor: Extractor, metrics: Collection[str] = ("fid",), featured: np.ndarray | None = None
    ) -> None:
        """Begin with no images; the arguments are those of `extract`."""
        self.extractor, self.featured = extractor, featured
        self.moments = MomentAccumulator()
        self.kept: dict[str, list[np.ndarray]] = {use: [] for use in uses(metrics)}
        self.count, self.classes, self.device = 0, 0, "cpu"

    def add(self, batch: Tensor) -> None:
        """Pass images (n, C, H, W) through the network, in float32 whatever the caller has switched on."""
        with torch.inference_mode(), torch.autocast(batch.device.type, enabled=False):
            found = self.extractor(batch)
            self.moments.add(found.features)
            told = {use: value.cpu().numpy() for use, value in _told(found).items() if use in self.kept}
        if "features" in told and self.featured is not None:
            told["features"] = told["features"][self.featured[self.count : self.count + len(batch)]]
        for use, values in told.items():
            self.kept[use].append(values)
        self.classes = 0 if found.logits is None else found.logits.shape[1]
        self.count, self.device = self.count + len(batch), str(batch.device)

    def result(self) -> Evidence:
        """Return the evidence of all images; raises as `extract` does."""
        moments = self.moments.result()
        arrays = {use: np.concatenate(parts) for use, parts in self.kept.items() if parts}
        for name, values in (("features", moments.mean), ("logits", arrays.get("logits"))):
            if values is not None and not np.isfinite(values).all():
                raise ContractError(
                    f"{name} are infinite or not a number: the images or the feature network's weights are"
                )
        return Evidence(moments, arrays, self.classes, self.device)


def extract(
    extractor: Extractor,
    batches: Iterable[Tensor],
    metrics: Collection[str] = ("fid",),
    featured: np.ndarray | None = None,
) -> Evidence:
    """Pass images through the network, in float32 whatever the caller has switched on, and keep what the metrics use.

    Args:
        extractor: the feature network.
        batches: images of shape (n, C, H, W) on its device.
        metrics: names of the metrics that will be computed.
        featured: (N,) bool, the images whose features are kept where the metrics use features; None: all.

    Raises:
        ValueError: fewer than two images.
        ContractError: features or logits that are not finite.
    """
    extraction = Extraction(extractor, metrics, featured)
    for batch in batches:
        extraction.add(batch)
    return extraction.result()


def _told(found: Extracted) -> dict[str, Tensor]:
    """Return the network's output for a batch, by the names that metrics use."""
    told = {"features": found.features}
    if found.logits is not None:
        told |= {"logits": found.logits, "classes": found.logits.argmax(1)}
    return told if found.good is None else told | {"good": found.good}


def with_radii(real: Evidence, metrics: Collection[str]) -> Evidence:
    """Return the same evidence with its neighbour radii where a metric uses them, for many scores against it.

    Raises:
        ValueError: too few images to have neighbours.
    """
    if "prdc" not in metrics:
        return real
    radii = squared_radii(real.kept["features"], device=real.device)
    return replace(real, kept={**real.kept, "radii": radii})


def score(fake: Evidence, real: Evidence, metrics: Collection[str]) -> Score:
    """Return the metrics of generated images against the reference.

    Raises:
        ValueError: too few images for one of them.
    """
    found: Score = {}
    for name in metrics:
        found |= COMPUTE[name](fake, real)
    return found


def _fid(fake: Evidence, real: Evidence) -> Score:
    return {"fid": frechet_distance(real.moments, fake.moments)}


def _is(fake: Evidence, real: Evidence) -> Score:
    mean, sd = classifier_score(fake.kept["logits"])
    return {"is": mean, "is_sd": sd}


def _kid(fake: Evidence, real: Evidence) -> Score:
    mean, sd = kernel_distance(real.kept["features"], fake.kept["features"], device=fake.device)
    return {"kid": mean, "kid_sd": sd}


def _prdc(fake: Evidence, real: Evidence) -> Score:
    reals, fakes = real.kept["features"], fake.kept["features"]
    return manifold(reals, fakes, real_radii=real.kept.get("radii"), device=fake.device)._asdict()


def _fid_infinity(fake: Evidence, real: Evidence) -> Score:
    return {"fid_infinity": frechet_distance_infinity(fake.kept["features"], real.moments)}


def _modes(fake: Evidence, real: Evidence) -> Score:
    classes = fake.kept["classes"]
    found = modes(classes[fake.kept["good"]] if "good" in fake.kept else classes, fake.classes)
    return {"modes": found.found, "kl": found.kl}


def _quality(fake: Evidence, real: Evidence) -> Score:
    return {"quality": float(fake.kept["good"].mean())}


COMPUTE: dict[str, Callable[[Evidence, Evidence], Score]] = {
    "fid": _fid,
    "is": _is,
    "kid": _kid,
    "prdc": _prdc,
    "fid-infinity": _fid_infinity,
    "modes": _modes,
    "quality": _quality,
}

ON_DEVICE = ("kid", "prdc")
"""Metrics whose matrix products are computed on the images' device; the CPU computes the others."""


def real_batches(pixels: np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """Yield images of shape (N, C, H, W) in batches on a device."""
    for start in range(0, len(pixels), BATCH):
        yield torch.tensor(pixels[start : start + BATCH], device=device)
