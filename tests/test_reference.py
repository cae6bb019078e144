"""Reference statistics and the floor: cached under all that determines them, verified when read, computed once."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from filelock import FileLock

import ganzoo
from ganzoo.api import Extracted, Images
from ganzoo.data.load import Dataset
from ganzoo.errors import DataError
from ganzoo.evaluate import manifold
from ganzoo.evaluate.manifold import squared_radii
from ganzoo.evaluate.reference import Reference, reference
from ganzoo.evaluate.scorer import extract, real_batches, score
from ganzoo.planning.run import Evaluation

CPU = torch.device("cpu")
METRICS = ("fid", "is", "kid")


class Pixels:
    """A feature network whose features are the first pixels; it counts the images that it was shown."""

    resize = "none"

    def __init__(self, sha256: str = "a" * 64) -> None:
        self.sha256 = sha256
        self.seen = 0

    def to(self, device: Any) -> Pixels:
        return self

    def __call__(self, images: torch.Tensor) -> Extracted:
        self.seen += len(images)
        features = images.flatten(1)[:, :4].float()
        return Extracted(features, features)


def data(train: int = 100, test: int = 30, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    splits = [Images(rng.integers(0, 256, (count, 1, 2, 2), dtype=np.uint8), None) for count in (train, test)]
    return Dataset("noise", splits[0], splits[1] if test else None, f"{seed:064}")


def evaluation(samples: int = 30, metrics: tuple[str, ...] = METRICS) -> Evaluation:
    run = ganzoo.plan(model="mlp", loss="bce").runs[0]
    return msgspec.structs.replace(run.evaluation, samples=samples, metrics=metrics)


def refer(cache: Path, network: Pixels | None = None, on: Dataset | None = None, **asked: Any) -> Reference:
    return reference(on or data(), network or Pixels(), evaluation(**asked), CPU, cache)


def equal(one: Reference, two: Reference) -> bool:
    first, second = one.evidence.moments, two.evidence.moments
    same = np.array_equal(first.mean, second.mean) and np.array_equal(first.covariance, second.covariance)
    kept = one.evidence.kept.keys() == two.evidence.kept.keys()
    return same and kept and one.floor == two.floor and one.protocol == two.protocol


def test_a_reference_is_computed_once(tmp_path):
    first = refer(tmp_path)
    network = Pixels()
    second = refer(tmp_path, network)
    assert equal(first, second)
    assert network.seen == 2  # two images, to learn the width of its features


@pytest.mark.parametrize(
    "change",
    [
        {"on": data(seed=1)},
        {"network": Pixels("b" * 64)},
        {"samples": 29},
        {"metrics": ("fid",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_reference_is_part_of_its_key(tmp_path, change):
    refer(tmp_path)
    refer(tmp_path, **change)
    assert len(list(tmp_path.glob("references/*.npz"))) == 2


@pytest.mark.parametrize(("own", "count"), [("ganzoo-core", 1), ("another distribution", 2)])
def test_a_reference_is_of_a_plugins_feature_network_as_its_code_is_now(tmp_path, monkeypatch, own, count):
    """As somebody has it who is writing one: the same version, weights and resizing. Our own has its VERSION."""
    monkeypatch.setattr("ganzoo.registry.provenance.CORE", own)
    for content in ("1" * 64, "2" * 64):
        hashes = {"ganzoo-core 0.1.0": content}
        monkeypatch.setattr("ganzoo.registry.provenance.provenance", lambda names, found=hashes: found)
        refer(tmp_path)
    assert len(list(tmp_path.glob("references/*.npz"))) == count


def stored(cache: Path) -> Path:
    (file,) = cache.glob("references/*.npz")
    return file


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def tampered(file: Path) -> None:
    with np.load(file) as held:
        arrays = {name: held[name] for name in held.files}
    np.savez(file, **{**arrays, "mean": arrays["mean"] + 1})


def flagged(file: Path) -> None:
    """One bit of the zip's directory says that a member is encrypted."""
    content = bytearray(file.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, empty, tampered, flagged])
def test_a_damaged_reference_is_computed_anew(tmp_path, damage):
    first = refer(tmp_path)
    damage(stored(tmp_path))
    network = Pixels()
    assert equal(refer(tmp_path, network), first)
    assert network.seen > 100
    assert equal(refer(tmp_path), first)


def test_several_at_once_compute_it_once(tmp_path):
    networks = [Pixels() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda network: refer(tmp_path, network), networks))
    assert all(equal(one, found[0]) for one in found)
    assert sorted(network.seen for network in networks)[:3] == [2, 2, 2]


ANOTHER_PROCESS = """
import sys
from pathlib import Path
from test_reference import Pixels, refer

class Told(Pixels):
    def __call__(self, images):
        print("looking", flush=True)
        return super().__call__(images)

network = Told()
print(refer(Path(sys.argv[1]), network).floor["fid"], network.seen)
"""


def test_a_process_waits_for_another_that_computes_it(tmp_path):
    """This one holds the lock until the other has asked, and then leaves what it has computed."""
    floor = refer(tmp_path / "ours").floor["fid"]
    file = tmp_path / "shared" / "references" / stored(tmp_path / "ours").name
    file.parent.mkdir(parents=True)
    command = [sys.executable, "-c", ANOTHER_PROCESS, str(tmp_path / "shared")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with FileLock(f"{file}.lock"):
        other = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert other.stdout and other.stdout.readline() == "looking\n"  # at two images, to learn the width
        refer(tmp_path / "again")
        (file.parent / "new").write_bytes(stored(tmp_path / "again").read_bytes())
        (file.parent / "new").replace(file)
    printed, _ = other.communicate()
    assert printed.split() == [str(floor), "2"]


def test_it_keeps_the_radii_of_real_images_so_that_a_score_takes_only_those_of_the_fakes(tmp_path, monkeypatch):
    metrics = ("prdc",)
    kept = [refer(tmp_path, metrics=metrics).evidence for _ in range(2)]  # computed, and read
    assert all(np.array_equal(one.kept["radii"], squared_radii(one.kept["features"])) for one in kept)
    fake = extract(Pixels(), real_batches(data(seed=5).train.pixels[:20], CPU), metrics)
    plain = replace(kept[1], kept={"features": kept[1].kept["features"]})
    expected, asked = score(fake, plain, metrics), []
    monkeypatch.setattr(manifold, "squared_radii", lambda x, *more: asked.append(len(x)) or squared_radii(x, *more))
    assert score(fake, kept[1], metrics) == expected
    assert asked == [20]


def test_too_few_real_images_for_a_metric_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"5 samples have no 5-th nearest neighbours.*choose other --metrics"):
        refer(tmp_path, on=data(train=5, test=10), samples=10, metrics=("prdc",))


def test_where_no_more_can_be_held_out_more_samples_are_not_the_remedy(tmp_path):
    metrics = ("fid-infinity",)
    with pytest.raises(DataError, match=r"29 samples of 4 features are too few.*; raise --samples, or choose"):
        refer(tmp_path, samples=29, metrics=metrics)
    with pytest.raises(DataError, match=r"25 samples of 4 features are too few.*only 25 real images can be held out"):
        refer(tmp_path, on=data(train=50, test=0), samples=40, metrics=metrics)


def test_few_samples_are_too_few_for_what_needs_more_alone(tmp_path):
    assert set(refer(tmp_path, samples=5, metrics=("fid",)).floor) == {"fid"}
    with pytest.raises(DataError, match=r"10 splits need at least 10 samples, not 5; raise --samples, or choose"):
        refer(tmp_path, samples=5, metrics=("fid", "is"))
    for train, samples in ((1, 0), (10, 5)):  # as many as the plan takes where nobody said how many
        with pytest.raises(DataError, match=f"only {samples} real images can be held out: add more"):
            refer(tmp_path, on=data(train=train, test=0), samples=samples)


def test_nothing_half_written_is_left(tmp_path):
    refer(tmp_path)
    assert {file.suffix for file in (tmp_path / "references").iterdir()} <= {".npz", ".lock"}


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write to .*file: Not a directory; .*set GANZOO_CACHE to another"):
        refer(tmp_path / "file")


def test_a_full_disk_is_named_and_keeps_no_part_of_a_reference(tmp_path, monkeypatch):
    def full(file, **_):
        file.write_bytes(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="No space left on device; free space there"):
        refer(tmp_path)
    assert [file.suffix for file in (tmp_path / "references").iterdir()] == [".lock"]


def test_a_reference_is_read_from_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    first = refer(tmp_path)

    def read_only(file):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("ganzoo.evaluate.reference.FileLock", read_only)
    assert equal(refer(tmp_path), first)
    with pytest.raises(DataError, match="Read-only file system"):
        refer(tmp_path, samples=29)


@pytest.mark.parametrize(
    ("train", "test", "samples", "floor"),
    [
        (100, 30, 30, "30 real images, test split"),
        (100, 30, 20, "20 real images, test split"),
        (100, 30, 40, "40 real images, held-out part of the train split against the rest"),
        (100, 0, 40, "40 real images, held-out part of the train split against the rest"),
        (
            100,
            60,
            90,
            "60 real images, test split, fewer than the generated ones",
        ),
        (100, 0, 90, "50 real images, held-out part of the train split against the rest, fewer than"),
    ],
)
def test_the_floor_has_as_many_held_out_images_as_there_are_samples_or_as_many_as_there_are(
    tmp_path, train, test, samples, floor
):
    found = refer(tmp_path, on=data(train, test), samples=samples)
    assert found.protocol.floor.startswith(floor)
    assert found.floor["fid"] > 0
