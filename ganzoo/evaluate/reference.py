"""The reference images' evidence and the real-vs-real floor, cached under a hash of all that determines them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from filelock import FileLock

from ganzoo.api import Extractor
from ganzoo.data.load import Dataset
from ganzoo.errors import DataError
from ganzoo.evaluate.frechet import with_root
from ganzoo.evaluate.metrics import Score, paired
from ganzoo.evaluate.moments import Moments
from ganzoo.evaluate.protocol import POINTS, UINT8, Protocol
from ganzoo.evaluate.scorer import Evidence, extract, real_batches, score, with_radii
from ganzoo.planning.run import Evaluation
from ganzoo.registry.provenance import code_of
from ganzoo.train.seeds import derive

VERSION = 4
"""Of what ganzoo itself computes; part of the key, so that a change never reads an older file."""


@dataclass(frozen=True)
class Reference:
    """What generated images are compared with, and what held-out real images score."""

    evidence: Evidence
    floor: Score
    protocol: Protocol


def reference(
    data: Dataset, extractor: Extractor, evaluation: Evaluation, device: torch.device, cache: Path
) -> Reference:
    """Return the reference for an evaluation, from the cache where it holds one.

    Where there are enough test images, the floor compares them with the training split. Otherwise it compares held-out
    training images with the rest, at most half of them.

    Raises:
        DataError: too few real images for the metrics, or a cache that cannot be written.
    """
    protocol = make_protocol(data, extractor, evaluation, device)
    file = cache / "references" / f"{_key(protocol, evaluation)}.npz"
    if (kept := _read(file, protocol)) is not None:  # also from a cache that cannot be written
        return kept
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            found = _read(file, protocol)  # another process may have computed it meanwhile
            if found is None:
                found = _compute(data, extractor, evaluation.metrics, protocol, device)
                _write(file, found)
    except OSError as error:
        raise DataError(
            f"cannot write to {cache}: {error.strerror or error}; free space there, or set GANZOO_CACHE to another "
            "folder"
        ) from None
    return found


def make_protocol(data: Dataset, extractor: Extractor, evaluation: Evaluation, device: torch.device) -> Protocol:
    """Return the protocol that an evaluation of this data follows."""
    count = evaluation.samples
    held_out, from_test = _held_out(data, count)
    source = "test split" if from_test else "held-out part of the train split against the rest"
    fewer = ", fewer than the generated ones: a Fréchet distance of them is biased further upward"
    seen = extractor(next(real_batches(data.train.pixels[:2], device)))
    return Protocol(
        dataset=data.label,
        data_sha256=data.sha256,
        reference="the train split",
        reference_count=len(data.train.pixels),
        samples=count,
        floor=f"{held_out:,} real images, {source}{fewer if held_out < count else ''}",
        extractor=evaluation.extractor.label,
        extractor_sha256=extractor.sha256,
        extractor_code=code_of(evaluation.extractor.distribution),
        resize=extractor.resize,
        dimension=seen.features.shape[1],
        classes=0 if seen.logits is None else seen.logits.shape[1],
        best=f"by {evaluation.metrics[0]} at the evaluation points, on samples that no reported score uses",
        quantisation=UINT8 if data.train.pixels.dtype == np.uint8 else POINTS,
    )


def _held_out(data: Dataset, count: int) -> tuple[int, bool]:
    """Return how many real images make the floor, at most `count`, and whether they are the test split's."""
    test, half = len(data.test.pixels) if data.test else 0, len(data.train.pixels) // 2
    from_test = test >= min(count, half)
    return min(count, test if from_test else half), from_test


def _key(protocol: Protocol, evaluation: Evaluation) -> str:
    causes = [VERSION, protocol, sorted(evaluation.metrics)]
    return hashlib.sha256(msgspec.json.encode(causes, order="deterministic")).hexdigest()[:24]


def _compute(
    data: Dataset, extractor: Extractor, metrics: Collection[str], protocol: Protocol, device: torch.device
) -> Reference:
    count, train = protocol.samples, data.train.pixels
    rng = np.random.default_rng(derive(0, "floor"))
    held, from_test = _held_out(data, count)
    try:
        whole = reference_evidence(train, extractor, metrics, count, device)
        if data.test and from_test:
            held_out, against = data.test.pixels[rng.permutation(len(data.test.pixels))[:held]], whole
        else:
            order = rng.permutation(len(train))
            held_out = train[order[:held]]
            against = reference_evidence(train[order[held:]], extractor, metrics, count, device)
        floor = score(extract(extractor, real_batches(held_out, device), metrics), against, metrics)
    except ValueError as error:
        most, _ = _held_out(data, count + 1)
        more = "raise --samples" if held < most else f"only {held:,} real images can be held out: add more"
        raise DataError(f"{data.label}: {error}; {more}, or choose other --metrics") from None
    return Reference(whole, floor, protocol)


def reference_evidence(
    pixels: np.ndarray, extractor: Extractor, metrics: Collection[str], featured: int, device: torch.device
) -> Evidence:
    """Return the evidence of real images: the moments of all of them, and the features of `featured`, seeded.

    Raises:
        ValueError: too few for a metric.
    """
    chosen = np.zeros(len(pixels), bool)
    chosen[np.random.default_rng(derive(0, "features")).permutation(len(pixels))[:featured]] = True
    found = extract(extractor, real_batches(pixels, device), paired(metrics), chosen)
    return with_radii(replace(found, moments=with_root(found.moments)), metrics)


def _write(file: Path, found: Reference) -> None:
    moments = found.evidence.moments
    assert moments.root is not None
    arrays: dict[str, Any] = {
        "mean": moments.mean,
        "covariance": moments.covariance,
        "root": moments.root,
        "count": np.array(moments.count),
        "floor": np.array(json.dumps(found.floor)),
        **found.evidence.kept,
    }
    temporary = file.with_suffix(".partial.npz")
    try:
        np.savez(temporary, **arrays, sha256=np.array(_digest(arrays)))
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)  # where the disk was full


def _read(file: Path, protocol: Protocol) -> Reference | None:
    """Return the stored reference, or None where there is none or it does not match its own hash."""
    try:
        with file.open("rb") as stream, np.load(stream) as stored:  # NumPy leaves a damaged file open
            arrays = {name: stored[name] for name in stored.files if name != "sha256"}
            if str(stored["sha256"]) != _digest(arrays):
                return None
        mean, covariance, root = (arrays.pop(name) for name in ("mean", "covariance", "root"))
        count, floor = int(arrays.pop("count")), json.loads(str(arrays.pop("floor")))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):  # RuntimeError: zipfile's
        return None
    return Reference(Evidence(Moments(mean, covariance, count, root), arrays), floor, protocol)


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
