"""Moments of the reference images and the real-vs-real floor, computed once and kept under a hash of their causes."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from filelock import FileLock

from ganzoo.api import Extractor
from ganzoo.data.load import Dataset
from ganzoo.errors import DataError
from ganzoo.evaluate.classifier_score import SPLITS, classifier_score
from ganzoo.evaluate.frechet import frechet_distance
from ganzoo.evaluate.moments import Moments
from ganzoo.evaluate.protocol import Protocol, Score
from ganzoo.evaluate.scorer import extract, real_batches
from ganzoo.planning.run import Evaluation
from ganzoo.train.seeds import derive

VERSION = 1
"""Of what is computed here; part of the key, so that a change never reads an older file."""


@dataclass(frozen=True)
class Reference:
    """What generated images are compared with, and what held-out real images score."""

    moments: Moments
    floor: Score
    protocol: Protocol


def reference(
    data: Dataset, extractor: Extractor, evaluation: Evaluation, device: torch.device, cache: Path
) -> Reference:
    """Return the reference for an evaluation, from the cache where it holds one.

    Where there are enough test images, the floor compares them with the training split. Otherwise it compares
    held-out training images with the rest.

    Raises:
        DataError: fewer real images than the evaluation needs.
    """
    protocol = make_protocol(data, extractor, evaluation)
    file = cache / "references" / f"{_key(protocol)}.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        found = _read(file, protocol)
        if found is None:
            found = _compute(data, extractor, protocol, device)
            _write(file, found)
    return found


def make_protocol(data: Dataset, extractor: Extractor, evaluation: Evaluation) -> Protocol:
    """Return the protocol that an evaluation of this data follows."""
    count = evaluation.samples
    held_out = len(data.test.pixels) if data.test else 0
    if count > max(held_out, len(data.train.pixels) // 2):
        raise DataError(
            f"{data.label}: {count:,} samples need as many held-out real images for the floor, and there are "
            f"{max(held_out, len(data.train.pixels) // 2):,}; lower --samples"
        )
    if count < SPLITS:
        raise DataError(f"{data.label}: {count} samples are too few for {SPLITS} splits; raise --samples")
    source = "test split" if count <= held_out else "held-out part of the train split against the rest"
    return Protocol(
        dataset=data.label,
        data_sha256=data.sha256,
        reference="train",
        reference_count=len(data.train.pixels),
        samples=count,
        floor=f"{count:,} real images, {source}",
        extractor=evaluation.extractor.label,
        extractor_sha256=extractor.sha256,
        resize=extractor.resize,
        splits=SPLITS,
    )


def _key(protocol: Protocol) -> str:
    return hashlib.sha256(msgspec.json.encode([VERSION, protocol], order="deterministic")).hexdigest()[:24]


def _compute(data: Dataset, extractor: Extractor, protocol: Protocol, device: torch.device) -> Reference:
    moments, _ = extract(extractor, real_batches(data.train.pixels, device))
    rng = np.random.default_rng(derive(0, "floor"))
    count, train = protocol.samples, data.train.pixels
    if data.test and count <= len(data.test.pixels):
        held_out, against = data.test.pixels[rng.permutation(len(data.test.pixels))[:count]], moments
    else:
        order = rng.permutation(len(train))
        held_out = train[order[:count]]
        against, _ = extract(extractor, real_batches(train[order[count:]], device))
    found, logits = extract(extractor, real_batches(held_out, device))
    return Reference(moments, Score(frechet_distance(against, found), *classifier_score(logits)), protocol)


def _write(file: Path, found: Reference) -> None:
    arrays = {
        "mean": found.moments.mean,
        "covariance": found.moments.covariance,
        "count": np.array(found.moments.count),
        "floor": np.array(msgspec.structs.astuple(found.floor)),
    }
    temporary = file.with_suffix(".partial.npz")
    np.savez(temporary, allow_pickle=False, **arrays, sha256=np.array(_digest(arrays)))
    temporary.replace(file)


def _read(file: Path, protocol: Protocol) -> Reference | None:
    """Return the stored reference, or None where there is none or it does not match its own hash."""
    try:
        with np.load(file) as stored:
            arrays = {name: stored[name] for name in ("mean", "covariance", "count", "floor")}
            if str(stored["sha256"]) != _digest(arrays):
                return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    moments = Moments(arrays["mean"], arrays["covariance"], int(arrays["count"]))
    return Reference(moments, Score(*arrays["floor"].tolist()), protocol)


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
