"""From batches of images to every metric: what does not change a score, what is kept, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ganzoo
from ganzoo.api import Extracted, NoParams
from ganzoo.errors import ContractError
from ganzoo.evaluate import compare
from ganzoo.evaluate.metrics import METRICS
from ganzoo.evaluate.scorer import Evidence, extract, score
from ganzoo.zoo.extractors.classifier import digits_cnn
from ganzoo.zoo.extractors.mixture import MixtureExtractor
from ganzoo.zoo.specs.extractors import MixtureParams

RING = MixtureExtractor(MixtureParams())
DRAWS = ("is", "kid", "fid-infinity")
"""Metrics that draw splits or subsets: with the seed, the order of samples decides which ones meet in one."""


def points(seed: int, count: int) -> Tensor:
    """Points around the modes of the ring, unevenly, so that every metric has something to say."""
    rng = np.random.default_rng(seed)
    modes = rng.choice(8, count, p=np.arange(1, 9) / 36)
    found = RING.centres.numpy()[modes] + rng.normal(0, 0.02, (count, 2))
    return torch.tensor(found[:, :, None, None], dtype=torch.float32)


REALS = extract(RING, points(0, 120).split(64), METRICS)


def scored(samples: Tensor, batch: int = 256) -> dict[str, float]:
    return score(extract(RING, samples.split(batch), METRICS), REALS, METRICS)


@given(st.integers(0, 2**32 - 1), st.integers(1, 120))
@settings(max_examples=20, deadline=None)
def test_no_metric_depends_on_the_batch_size(seed, batch):
    samples = points(seed, 120)
    assert scored(samples, batch) == pytest.approx(scored(samples), rel=1e-9, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_no_metric_that_draws_nothing_depends_on_the_order_of_samples(seed):
    samples = points(seed, 120)
    shuffled = samples[torch.from_numpy(np.random.default_rng(seed).permutation(120))]
    blind = {name: metric for name, metric in METRICS.items() if name not in DRAWS}
    keys = [column.key for metric in blind.values() for column in metric.columns]
    one, two = scored(samples), scored(shuffled)
    assert len(keys) == 8
    assert {key: one[key] for key in keys} == pytest.approx({key: two[key] for key in keys}, rel=1e-9, abs=1e-12)
    assert one["kid"] == pytest.approx(two["kid"], rel=1e-9, abs=1e-12)  # too few for subsets: compared as they are


def test_only_samples_of_high_quality_count_as_modes():
    samples = RING.centres[:3, :, None, None].clone()
    samples[2] *= 1.1  # the third mode's only sample, ten standard deviations away
    found = score(extract(RING, [samples.repeat(50, 1, 1, 1)], METRICS), REALS, ("modes", "quality"))
    assert (found["modes"], found["quality"]) == (2, pytest.approx(2 / 3))


def test_the_kernel_distance_and_the_classifier_score_keep_their_spread():
    assert {"is_sd", "kid_sd"} <= scored(points(1, 120)).keys()


def test_features_are_those_of_float32_whatever_the_caller_has_switched_on():
    network = digits_cnn(NoParams())
    images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = extract(network, [images], ("kid",)).kept["features"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = extract(network, [images], ("kid",)).kept["features"]
    assert np.array_equal(found, expected)


class Broken:
    """A feature network with one feature, or one logit, that is no number."""

    sha256, resize = "b" * 64, "none"

    def __init__(self, broken: str) -> None:
        self.broken = broken

    def to(self, device: Any) -> Broken:
        return self

    def __call__(self, images: Tensor) -> Extracted:
        found = {name: images.flatten(1) + 0.0 for name in ("features", "logits")}
        found[self.broken][0, 0] = -torch.inf  # as the logarithm of no probability, whose share of a score is 0 x inf
        return Extracted(**found)


@pytest.mark.parametrize("broken", ["features", "logits"])
def test_what_is_no_number_is_refused_as_such(broken):
    with pytest.raises(ContractError, match=f"{broken} are infinite or not a number"):
        extract(Broken(broken), [torch.ones(5, 1, 2, 2)], ("fid", "is"))


@pytest.mark.parametrize("metrics", ["fid,is", "kid,prdc", "fid,is,kid,prdc,fid-infinity,modes"])
def test_of_real_images_no_more_is_kept_than_the_fakes_and_the_floor_need(metrics, monkeypatch, tmp_path):
    kept: list[dict[str, np.ndarray]] = []

    def spied(*given: Any) -> Evidence:
        found = extract(*given)
        kept.append(found.kept)
        return found

    monkeypatch.setattr(compare, "extract", spied)
    np.save(tmp_path / "fakes.npy", np.random.default_rng(0).integers(0, 256, (70, 1, 8, 8), dtype=np.uint8))
    ganzoo.score(tmp_path / "fakes.npy", against="digits", metrics=metrics, device="cpu")
    _, held_out, rest = kept
    assert all(len(values) == 70 for values in held_out.values())
    assert set(rest) == ({"features"} if "kid" in metrics else set())
    assert all(len(values) <= 140 for values in rest.values())
