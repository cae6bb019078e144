"""Score images against real ones without training anything: what `ganzoo score` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganzoo.api import Extractor
from ganzoo.data.pictures import Pictures, Statistics
from ganzoo.errors import DataError
from ganzoo.evaluate.frechet import with_root
from ganzoo.evaluate.metrics import Score, paired
from ganzoo.evaluate.moments import Moments, merge
from ganzoo.evaluate.protocol import POINTS, Protocol
from ganzoo.evaluate.scorer import Evidence, extract, score, with_radii
from ganzoo.results.comparison import Comparison, Scored
from ganzoo.train.seeds import derive

Tell = Callable[[str, int], None]
"""Told what is being read and how many images of it have passed."""


@dataclass(frozen=True)
class _Reals:
    evidence: dict[int, Evidence]
    """By the number of images that are scored, since as many real images' features are compared with theirs."""
    floor: Scored | None
    sha256: str


def compare(
    fakes: Sequence[Pictures],
    reals: Pictures | Statistics,
    extractor: Extractor,
    name: str,
    code: str,
    metrics: tuple[str, ...],
    device: torch.device,
    tell: Tell,
) -> Comparison:
    """Return what each set of images scores against the real ones.

    The floor compares held-out real images, as many as the largest set has and at most half of all, with the others.

    Args:
        fakes: the images to score.
        reals: what they are compared with.
        extractor: the feature network, on the device.
        name: of the network.
        code: the plugin that it comes from, if any, as in `Protocol.extractor_code`.
        metrics: names of the metrics.
        device: where the network is.
        tell: is told of progress.

    Raises:
        DataError: too few images for a metric, or statistics that do not fit the network or serve a metric.
    """
    viewer = _Viewer(extractor, device, metrics, tell)
    rows: list[Scored] = []
    seen = [viewer.view(fake, np.arange(fake.count), metrics) for fake in fakes]
    counts = {fake.count for fake in fakes}
    from_statistics = isinstance(reals, Statistics)
    known = _from_statistics(reals, viewer, counts) if from_statistics else _from_images(reals, viewer, counts)
    dimension = len(seen[0].moments.mean)
    for fake, evidence in zip(fakes, seen, strict=True):
        real = known.evidence[fake.count]
        if len(real.moments.mean) != dimension:
            raise DataError(
                f"{reals.label} is of {len(real.moments.mean)} features, and {name} has {dimension}: give the "
                "--extractor that it was made with"
            )
        fewest = reals.label if isinstance(reals, Pictures) and reals.count < fake.count else fake.label
        rows.append(Scored(fake.label, fake.count, _score(fewest, evidence, real, metrics)))
    protocol = Protocol(
        dataset=reals.label,
        data_sha256=known.sha256,
        reference="all images",
        reference_count=0 if from_statistics else reals.count,
        samples=min(fake.count for fake in fakes),
        floor=f"{known.floor.count:,} of them, held out, against the others" if known.floor else "unknown",
        extractor=name,
        extractor_sha256=extractor.sha256,
        extractor_code=code,
        resize=extractor.resize,
        dimension=dimension,
        classes=seen[0].classes,
        quantisation=POINTS if fakes[0].points else "none: images as they are",
        generator="as they were given",
        best="nothing was trained",
    )
    return Comparison(tuple(rows), known.floor, protocol, metrics)


class _Viewer:
    """Passes pictures through a feature network, and tells how many have passed."""

    def __init__(self, extractor: Extractor, device: torch.device, metrics: tuple[str, ...], tell: Tell) -> None:
        self.extractor, self.device, self.metrics, self.tell = extractor, device, metrics, tell

    def view(
        self,
        pictures: Pictures,
        indices: np.ndarray,
        metrics: Sequence[str],
        featured: np.ndarray | None = None,
        hashes: list[int] | None = None,
    ) -> Evidence:
        """Return the evidence of these pictures for some metrics; add each image's hash to `hashes`, if given."""
        batches = self._batches(pictures, indices, hashes)
        try:
            return extract(self.extractor, batches, metrics, featured)
        except ValueError as error:
            raise _too_few(pictures.label, error) from None

    def _batches(self, pictures: Pictures, indices: np.ndarray, hashes: list[int] | None) -> Iterator[Tensor]:
        passed = 0
        for pixels in pictures.read(indices):
            if hashes is not None:
                hashes += [_hash(image) for image in pixels]
            yield torch.tensor(pixels, device=self.device)
            passed += len(pixels)
            self.tell(pictures.label, passed)


def _hash(image: np.ndarray) -> int:
    digest = hashlib.sha256(f"{image.shape} {image.dtype}".encode())
    digest.update(np.ascontiguousarray(image).data)
    return int.from_bytes(digest.digest(), "big")


def _from_images(reals: Pictures, viewer: _Viewer, counts: Collection[int]) -> _Reals:
    """View every real image once: those held out for the floor, and the others; together they make the reference."""
    if reals.count < 4:  # two on either side: a covariance needs them
        raise DataError(f"{reals.label}: {reals.count} images are too few to compare with; at least 4 are needed")
    count = min(max(counts), reals.count // 2)
    order = np.random.default_rng(derive(0, "floor")).permutation(reals.count)
    looked_at = _apart(order, count)
    place = np.argsort(looked_at)
    whole = {fakes: place[_compared(order, fakes)] for fakes in counts}
    against = count + _drawn(reals.count - count, count)
    needed = np.unique(np.concatenate([np.arange(count), against, *whole.values()]))  # their features are kept
    hashes: list[int] = []
    out = viewer.view(reals, looked_at[:count], viewer.metrics, hashes=hashes)
    rest = viewer.view(
        reals, looked_at[count:], paired(viewer.metrics),
        featured=np.isin(np.arange(count, reals.count), needed), hashes=hashes,
    )  # fmt: skip
    features = np.concatenate([out.kept["features"], rest.kept["features"]]) if rest.kept else None

    def evidence(moments: Moments, drawn: np.ndarray) -> Evidence:
        kept = {} if features is None else {"features": features[np.searchsorted(needed, drawn)]}
        return Evidence(moments, kept, device=out.device)

    everything, floor = with_root(merge(out.moments, rest.moments)), None
    by_count = {fakes: evidence(everything, drawn) for fakes, drawn in whole.items()}
    with suppress(ValueError):  # too few for a metric; where the fakes are too few as well, they are the ones to blame
        others = evidence(with_root(rest.moments), against)
        floor = Scored("real images (floor)", count, score(out, others, viewer.metrics))
        by_count = {fakes: with_radii(one, viewer.metrics) for fakes, one in by_count.items()}
    return _Reals(by_count, floor, hashlib.sha256(str(sum(hashes)).encode()).hexdigest())


def _apart(order: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the first `count` images of an order, then of the others, each part as it is stored."""
    return np.concatenate([np.sort(order[:count]), np.sort(order[count:])])


def _compared(order: np.ndarray, fakes: int) -> np.ndarray:
    """Return the indices of the real images that `fakes` images are compared with, whatever else is scored."""
    return _apart(order, min(fakes, len(order) // 2))[_drawn(len(order), fakes)]


def _drawn(count: int, most: int) -> np.ndarray:
    """Return `most` of `count` indices, drawn with a seed, or all of them in order if there are no more."""
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(derive(0, "features")).permutation(count)[:most]


def _from_statistics(reals: Statistics, viewer: _Viewer, counts: Collection[int]) -> _Reals:
    """Return what a Fréchet distance needs; other metrics cannot be computed from a mean and a covariance."""
    wanting = paired(viewer.metrics)
    if wanting:
        raise DataError(f"{reals.label} holds mu and sigma, from which {wanting[0]} cannot be had: give the images")
    moments = reals.moments
    digest = hashlib.sha256(moments.mean.tobytes() + moments.covariance.tobytes())
    return _Reals(dict.fromkeys(counts, Evidence(with_root(moments))), None, digest.hexdigest())


def _score(label: str, fake: Evidence, real: Evidence, metrics: Sequence[str]) -> Score:
    try:
        return score(fake, real, metrics)
    except ValueError as error:
        raise _too_few(label, error) from None


def _too_few(label: str, error: ValueError) -> DataError:
    return DataError(f"{label}: too few images: {error}; give more, or choose other --metrics")
