"""`ganzoo score`: the same numbers wherever images lie, and one clear line where they cannot be had."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from command_line import ganzoo as command
from command_line import runner
from PIL import Image

import ganzoo
from ganzoo.cli.score import score as score_command
from ganzoo.data.decode import Source
from ganzoo.data.pictures import _of_sources
from ganzoo.engine.job import TrainingRun
from ganzoo.engine.machine import pick_device
from ganzoo.engine.messages import Options
from ganzoo.errors import DataError, DeviceError, GanzooError, IncompatibleError, ParameterError, ResultsError
from ganzoo.evaluate.moments import moments
from ganzoo.results.store import write_json
from ganzoo.zoo.datasets.digits import PACKAGED
from ganzoo.zoo.extractors.classifier import digits_cnn

REALS, FAKES = 300, 120


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """Return digits, uint8 of shape (N, 1, 8, 8), in a mixed order."""
    with np.load(PACKAGED) as stored:
        return np.random.default_rng(0).permutation(stored["pixels"])


@pytest.fixture(scope="module")
def folder(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the same images as PNG files, as a zip and as arrays: of reals and of fakes."""
    root = tmp_path_factory.mktemp("images")
    for name, part in (("reals", pixels[:REALS]), ("fakes", pixels[REALS : REALS + FAKES])):
        (root / name / "deeper").mkdir(parents=True)
        with ZipFile(root / f"{name}.zip", "w") as archive:
            for i, image in enumerate(part):
                file = root / name / ("deeper" if i % 2 else ".") / f"{i:04}.png"
                Image.fromarray(image[0]).save(file)
                archive.write(file, f"{i:04}.png")
        np.save(root / f"{name}.npy", part)
        np.savez(root / f"{name}.npz", arr_0=part.transpose(0, 2, 3, 1))
    return root


def scores(fakes: Path | str, reals: Path | str, metrics: str = "fid,is", **options: object) -> dict[str, float]:
    found = ganzoo.score(fakes, against=reals, extractor="digits-cnn", metrics=metrics, device="cpu", **options)  # type: ignore[arg-type]
    return found.rows[0].score


@pytest.mark.parametrize("form", [".zip", ".npy", ".npz"])
def test_the_same_images_score_the_same_in_every_form(folder: Path, form: str) -> None:
    expected = scores(folder / "fakes", folder / "reals", "fid,modes")
    found = scores(folder / f"fakes{form}", folder / f"reals{form}", "fid,modes")
    assert found["fid"] == pytest.approx(expected["fid"], rel=1e-6)
    assert found["modes"] == expected["modes"]


def test_an_array_file_is_what_it_begins_as_whatever_it_is_called(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fakes.npz").symlink_to(folder / "fakes.npy")
    (tmp_path / "fakes.npy").symlink_to(folder / "fakes.npz")
    expected = scores(folder / "fakes.npy", folder / "reals")
    assert scores(tmp_path / "fakes.npz", folder / "reals") == expected
    assert scores(tmp_path / "fakes.npy", folder / "reals") == expected


def test_a_folder_of_links_to_folders_holds_their_images(folder: Path, tmp_path: Path) -> None:
    """As `--dataset folder` reads it; whoever takes some classes of a large data set links to them."""
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "one").symlink_to(folder / "fakes")
    found = ganzoo.score(tmp_path / "few", against=folder / "reals", extractor="digits-cnn", metrics="fid")
    assert found.rows[0].count == FAKES


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "deeper":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"deeper cannot be listed \(Permission denied\)"):
        scores(folder / "fakes", folder / "reals")


def test_the_distance_is_that_of_the_moments_of_both(folder: Path, pixels: np.ndarray) -> None:
    import torch

    from ganzoo.api import NoParams
    from ganzoo.evaluate.frechet import frechet_distance

    network = digits_cnn(NoParams())
    one, two = (
        moments(network(torch.tensor(part)).features) for part in (pixels[:REALS], pixels[REALS : REALS + FAKES])
    )  # fmt: skip
    assert scores(folder / "fakes", folder / "reals")["fid"] == pytest.approx(frechet_distance(one, two), rel=1e-6)


def test_copies_are_at_distance_zero_and_precise_in_everything(folder: Path) -> None:
    found = scores(folder / "reals", folder / "reals", "fid,kid,prdc")
    assert found["fid"] == pytest.approx(0, abs=1e-6)
    assert found["kid"] <= 0
    assert (found["precision"], found["recall"], found["coverage"]) == (1.0, 1.0, 1.0)


def test_what_images_score_does_not_depend_on_what_is_scored_beside_them(folder: Path, pixels: np.ndarray) -> None:
    np.save(folder / "fewer.npy", pixels[REALS : REALS + 40])
    together = ganzoo.score(
        folder / "fewer.npy", folder / "fakes.npy", against=folder / "reals.npy", extractor="digits-cnn",
        metrics="fid,kid,prdc", device="cpu",
    )  # fmt: skip
    for row, name in zip(together.rows, ("fewer.npy", "fakes.npy"), strict=True):
        assert row.score == pytest.approx(scores(folder / name, folder / "reals.npy", "fid,kid,prdc"), rel=1e-9)


def test_the_floor_holds_out_as_many_as_there_are_fakes_and_at_most_half(folder: Path) -> None:
    found = ganzoo.score(folder / "fakes", against=folder / "reals", extractor="digits-cnn", device="cpu")
    assert found.floor is not None
    assert found.floor.count == FAKES
    assert found.rows[0].score["fid"] < 3 * found.floor.score["fid"]
    larger = ganzoo.score(folder / "reals", against=folder / "fakes", extractor="digits-cnn", device="cpu")
    assert larger.floor is not None and larger.floor.count == FAKES // 2


def test_the_floor_compares_what_is_held_out_with_the_others_alone(folder: Path, pixels: np.ndarray) -> None:
    import torch

    from ganzoo.api import NoParams
    from ganzoo.evaluate.frechet import frechet_distance
    from ganzoo.train.seeds import derive

    found = ganzoo.score(folder / "fakes.npy", against=folder / "reals.npy", extractor="digits-cnn", device="cpu")
    order = np.random.default_rng(derive(0, "floor")).permutation(REALS)
    network = digits_cnn(NoParams())
    held, others = (
        moments(network(torch.tensor(pixels[:REALS][part])).features) for part in (order[:FAKES], order[FAKES:])
    )  # fmt: skip
    assert found.floor is not None
    assert found.floor.score["fid"] == pytest.approx(frechet_distance(held, others), rel=1e-6)


def test_statistics_as_pytorch_fid_writes_them_serve_a_distance_and_no_more(folder: Path, pixels: np.ndarray) -> None:
    import torch

    from ganzoo.api import NoParams

    found = moments(digits_cnn(NoParams())(torch.tensor(pixels[:REALS])).features)
    np.savez(folder / "statistics.npz", mu=found.mean, sigma=found.covariance)
    expected = scores(folder / "fakes", folder / "reals")["fid"]
    assert scores(folder / "fakes", folder / "statistics.npz")["fid"] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(DataError, match="holds mu and sigma, from which kid cannot be had"):
        scores(folder / "fakes", folder / "statistics.npz", "fid,kid")
    with pytest.raises(DataError, match="give it as --against"):
        scores(folder / "statistics.npz", folder / "reals")
    for broken, complaint in (
        (found.covariance[:3], "sigma of"),
        (found.covariance * np.nan, "not a number"),
        (np.linalg.cholesky(found.covariance), "no covariance"),
        (-found.covariance, "no covariance"),
        (np.eye(32) + 3 * np.eye(32)[::-1], "no covariance"),  # with variances of 1, and of -2 in 16 directions
        (found.covariance * 1j, "complex"),
    ):
        np.savez(folder / "broken.npz", mu=found.mean, sigma=broken)
        with pytest.raises(DataError, match=rf"broken\.npz holds .*{complaint}"):
            scores(folder / "fakes", folder / "broken.npz")
    np.savez(folder / "narrow.npz", mu=found.mean[:3], sigma=found.covariance[:3, :3])
    with pytest.raises(DataError, match="is of 3 features, and digits-cnn has 32"):
        scores(folder / "fakes", folder / "narrow.npz")


def test_a_sigma_that_rounding_took_below_zero_is_one(folder: Path, pixels: np.ndarray) -> None:
    import torch

    from ganzoo.api import NoParams

    few = moments(digits_cnn(NoParams())(torch.tensor(pixels[:10])).features)
    rounded = few.covariance.astype(np.float16)
    eigenvalues = np.linalg.eigvalsh(rounded.astype(np.float64))
    assert eigenvalues[0] < -1e-5 * eigenvalues[-1]
    for name, sigma in (("exact.npz", few.covariance), ("rounded.npz", rounded)):
        np.savez(folder / name, mu=few.mean, sigma=sigma)
    exact, found = (scores(folder / "fakes", folder / name)["fid"] for name in ("exact.npz", "rounded.npz"))
    assert found == pytest.approx(exact, rel=0.01)


def test_a_dataset_and_its_split_can_be_named() -> None:
    found = ganzoo.score("digits@test", against="digits", device="cpu", metrics=["fid"])
    assert (found.rows[0].count, found.protocol.reference_count) == (599, 1198)
    assert found.protocol.extractor == "digits-cnn"


def test_images_of_several_sizes_are_scored_together(folder: Path, tmp_path: Path) -> None:
    import torch

    from ganzoo.api import NoParams
    from ganzoo.evaluate.frechet import frechet_distance

    images: list[np.ndarray] = []
    for i, file in enumerate(sorted((folder / "fakes").glob("*.png"))):
        side = 16 if i % 3 else 8
        image = Image.open(file).resize((side, side), Image.Resampling.NEAREST)
        image.save(tmp_path / file.name)
        images.append(np.asarray(image)[None, None])
    network = digits_cnn(NoParams())
    features = torch.cat([network(torch.tensor(image)).features for image in images])
    reals = network(torch.tensor(np.load(folder / "reals.npy"))).features
    expected = frechet_distance(moments(reals), moments(features))
    assert scores(tmp_path, folder / "reals")["fid"] == pytest.approx(expected, rel=1e-5)


def test_reading_images_leaves_the_callers_warnings_alone(folder: Path) -> None:
    """Filters are of the whole process: threads that each silence them would restore them in any order."""
    content, before, met = next((folder / "fakes").glob("*.png")).read_bytes(), list(warnings.filters), list[object]()

    def read() -> bytes:
        met.append(warnings.filters)
        return content

    pictures = _of_sources("images", [Source(f"{i}.png", read) for i in range(20)])
    assert sum(map(len, pictures.read(np.arange(20)))) == 20
    assert all(filters is met[0] for filters in met), "silenced by each image, in its thread"
    assert warnings.filters == before


def test_a_run_is_scored_against_what_it_was_trained_on(tmp_path: Path) -> None:
    (row,) = ganzoo.bench(model="mlp", loss="bce", samples=50, recipe={"steps": 5}, out=tmp_path / "out").rows
    run = row.folder / "seed-0"
    found = ganzoo.score(run, metrics="fid,prdc", device="cpu")
    assert (found.rows[0].count, found.protocol.dataset) == (50, "digits@train")
    assert found.rows[0].score["fid"] == pytest.approx(row.best["fid"].mean, rel=0.2)
    more = ganzoo.score(run, samples=80, device="cpu")
    assert more.rows[0].count == 80
    for above in (tmp_path / "out", row.folder):
        with pytest.raises(DataError, match="name one of its runs"):
            ganzoo.score(above, against="digits")


def test_the_pictures_of_a_run_at_work_are_not_taken_for_images(folder: Path, tmp_path: Path) -> None:
    (run,) = ganzoo.plan(model="mlp", loss="bce").runs
    write_json(tmp_path / "config.json", run)
    (tmp_path / "metrics.jsonl").touch()
    for i in range(20):
        (tmp_path / f"samples-{i}.png").symlink_to(folder / "fakes" / f"{2 * i:04}.png")
    for fakes, reals in ((tmp_path, None), (tmp_path, folder / "reals"), (folder / "fakes", tmp_path)):
        with pytest.raises(ResultsError, match="has not finished"):
            ganzoo.score(fakes, against=reals, extractor="digits-cnn", device="cpu")


def test_what_a_run_was_trained_on_is_found_whatever_it_is_called(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine, all@test=1").symlink_to(folder / "reals.zip")
    data = {"name": "zip", "path": str(tmp_path / "mine, all@test=1")}
    request = {"extractor": "digits-cnn", "metrics": "fid", "samples": 20, "recipe": {"steps": 1, "batch_size": 8}}
    (run,) = ganzoo.plan(model="mlp", loss="bce", dataset=data, **request).runs
    options = Options(device="cpu", data_root="", cache=str(tmp_path))
    TrainingRun(run, tmp_path / "run", options, tell=lambda _: None, stopping=bool).finish()
    found = ganzoo.score(tmp_path / "run", device="cpu")
    assert (found.rows[0].count, found.protocol.reference_count) == (20, REALS)


def test_a_conditional_run_draws_classes_as_often_as_it_was_trained_on_them(pixels: np.ndarray, tmp_path: Path) -> None:
    labels = [0] * 36 + [1] * 4
    with ZipFile(tmp_path / "rare.zip", "w") as archive:
        for i, image in enumerate(pixels[: len(labels)]):
            Image.fromarray(image[0]).save(tmp_path / "one.png")
            archive.write(tmp_path / "one.png", f"{i:02}.png")
        archive.writestr("dataset.json", json.dumps({"labels": [(f"{i:02}.png", c) for i, c in enumerate(labels)]}))
    grid = {"model": "mlp", "loss": "bce", "trick": "projection", "dataset": f"zip:path={tmp_path / 'rare.zip'}"}
    request = {"extractor": "digits-cnn", "metrics": "fid", "samples": 20, "recipe": {"steps": 1, "batch_size": 8}}
    (row,) = ganzoo.bench(**grid, **request, out=tmp_path / "out", device="cpu").rows
    run, drawn = row.folder / "seed-0", []
    generator = ganzoo.load(run).game.networks.generator.__class__
    with pytest.MonkeyPatch.context() as patch:
        forward = generator.forward
        patch.setattr(generator, "forward", lambda self, z, y: drawn.extend(y.tolist()) or forward(self, z, y))
        ganzoo.score(run, samples=400, device="cpu")
    assert sum(drawn[-400:]) == pytest.approx(40, abs=24)  # four standard deviations; 200 if both were drawn alike


def test_json_names_every_value_and_its_protocol(folder: Path) -> None:
    words = [str(folder / "fakes.npy"), "--against", str(folder / "reals.npy"), "--extractor", "digits-cnn"]
    result = runner().invoke(score_command, [*words, "--metrics", "fid,kid", "--json", "--device", "cpu"])
    found = json.loads(result.stdout)
    assert set(found["scores"][0]) == {"images", "count", "fid", "kid", "kid_sd"}
    assert found["titles"] == {"fid": "FD-digits-cnn", "kid": "KD-digits-cnn"}
    assert (found["floor"]["count"], len(found["protocol"]["fingerprint"])) == (FAKES, 8)


def test_what_a_feature_network_prints_stays_out_of_the_scores(folder: Path, make_distribution) -> None:
    source = (
        "from ganzoo.api import Spec\nfrom ganzoo.zoo.extractors.classifier import digits_cnn\n"
        'LOUD = Spec(kind="extractor", target="loud:build", summary="", provides=("classes",))\n'
        'def build(params):\n    print("hello", flush=True)\n    return digits_cnn(params)\n'
    )
    make_distribution("ganzoo-loud", {"ganzoo.extractors": {"loud": "loud:LOUD"}}, {"loud": source})
    words = [str(folder / "fakes.npy"), "--against", str(folder / "reals.npy"), "--extractor", "loud", "--json"]
    result = runner().invoke(score_command, [*words, "--metrics", "fid", "--device", "cpu"], catch_exceptions=False)
    assert json.loads(result.stdout)["titles"] == {"fid": "FD-loud"}
    assert "hello" in result.stderr


def test_several_rows_and_their_warnings(folder: Path) -> None:
    words = [str(folder / "fakes.npy"), str(folder / "reals.npy"), "--against", str(folder / "reals.npy")]
    result = runner().invoke(
        score_command, [*words, "--extractor", "digits-cnn", "--metrics", "fid,modes", "--device", "cpu"]
    )
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["images", "FD-digits-cnn", "modes", "of", "10", "KL", "n"]
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        words[0], words[1], "real images (floor)", "uniform draws (expected)",
    ]  # fmt: skip
    assert sum(line.startswith("Warning") for line in lines) == 3  # few a dimension, unequal counts, half a floor


def test_a_mean_over_splits_or_subsets_stands_with_its_deviation(folder: Path, pixels: np.ndarray) -> None:
    np.save(folder / "many.npy", pixels[:1100])
    found = ganzoo.score("digits", against=folder / "many.npy", metrics="fid,is,kid", device="cpu")
    fid, classifier, kernel = found.cells()[0][1:4]
    score = found.rows[0].score
    assert fid == f"{score['fid']:.2f}"
    assert classifier == f"{score['is']:.2f} ± {score['is_sd']:.2f}"
    assert kernel == f"{score['kid']:.5f} ± {score['kid_sd']:.5f}"
    assert any("over the splits or subsets" in note for note in found.notes())
    (row,) = ganzoo.score(folder / "fakes.npy", against=folder / "fakes.npy", extractor="digits-cnn", metrics="kid",
                          device="cpu").cells()[:1]  # fmt: skip
    assert "±" not in row[1]  # so few are compared once


def test_a_floor_against_half_of_the_real_images_is_warned_of(folder: Path) -> None:
    few = ganzoo.score(folder / "fakes.npy", against=folder / "reals.npy", extractor="digits-cnn", device="cpu")
    many = ganzoo.score(folder / "fakes.npy", against="digits", device="cpu")
    assert any("the floor is against 180 of 300 real images" in note for note in few.notes())
    assert not any("the floor is" in note for note in many.notes())


BAD = {
    "nothing there": (["/no/such", "--against", "digits"], "no such file or folder"),
    "no reals": (["digits"], "add --against REALS"),
    "a file of another kind": ([__file__, "--against", "digits"], "is no folder, .zip, .npz or .npy"),
    "an unknown metric": (["digits", "--against", "digits", "--metrics", "fidd"], 'did you mean "fid"'),
    "an unknown network": (["digits", "--against", "digits", "--extractor", "digit-cnn"], 'did you mean "digits-cnn"'),
    "a network of images and points": (
        ["ring@test", "--against", "ring", "--extractor", "digits-cnn"],
        "ring@test has points, no images, and digits-cnn looks at images; choose another --extractor",
    ),
    "a network of points and images": (
        ["digits@test", "--against", "ring"], "digits@test has images, no points, and mixture looks at points",
    ),
    "a network of other points": (
        ["ring@test", "--against", "ring", "--extractor", "mixture:modes=4"], "is about other data than this",
    ),
    "a network without good samples": (
        ["digits", "--against", "digits", "--metrics", "quality"], "needs an extractor that provides quality",
    ),
}  # fmt: skip


@pytest.mark.parametrize("words, complaint", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], complaint: str) -> None:
    code, out, err = command("score", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith("ganzoo: ")
    assert complaint in err


def test_damaged_files_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes((folder / "reals.npz").read_bytes()[:300])
    (tmp_path / "cut.zip").write_bytes((folder / "reals.zip").read_bytes()[:300])
    (tmp_path / "cut.npy").write_bytes((folder / "reals.npy").read_bytes()[:300])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"\x89PNG and no more")
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "floats.npy", np.zeros((20, 8, 8, 3), np.float32))
    np.save(tmp_path / "flat.npy", np.zeros((20, 0, 8, 3), np.uint8))
    np.savez(tmp_path / "several.npz", a=np.zeros((2, 8, 8, 3)), b=np.zeros((2, 8, 8, 3)))
    for name, complaint in {
        "cut.npz": "cannot be read", "cut.zip": "not a readable zip", "cut.npy": "cannot be read",
        "broken": "a.png cannot be decoded", "empty": "holds no images", "floats.npy": "float32 of shape",
        "flat.npy": "uint8 of shape",
        "several.npz": "2 arrays of images",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=complaint) as caught:
            scores(tmp_path / name, folder / "reals")
        assert name in str(caught.value)


def test_too_few_images_are_refused_with_the_reason(folder: Path, pixels: np.ndarray) -> None:
    for count, metrics, complaint in ((1, "fid", "at least two"), (5, "is", "10 splits"), (5, "prdc", "at least 6")):
        np.save(folder / "few.npy", pixels[:count])
        with pytest.raises(DataError, match=rf"few\.npy: too few images: .*{complaint}"):
            scores(folder / "few.npy", folder / "reals", metrics)
    np.save(folder / "few.npy", pixels[:3])
    with pytest.raises(DataError, match="at least 4 are needed"):
        scores(folder / "fakes", folder / "few.npy")


def test_a_device_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(DeviceError, match=r'^no device "gpu"; use auto, cpu'):
        ganzoo.score(folder / "fakes", against=folder / "reals", extractor="digits-cnn", device="gpu")


@pytest.mark.parametrize("name", ["cuda:1", "cuda:first", "auto:0"])
def test_a_gpu_that_is_none_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(DeviceError, match=f'^no device "{name}"; use auto, cpu, cuda or cuda:0$'):
        pick_device(name)


@pytest.mark.parametrize("samples", [1, 0, -3])
def test_too_few_samples_are_refused(folder: Path, samples: int) -> None:
    with pytest.raises(ParameterError, match=f"samples must be at least 2, not {samples}"):
        scores(folder / "fakes", folder / "reals", samples=samples)


def test_errors_are_typed(folder: Path) -> None:
    with pytest.raises(ParameterError, match="score what"):
        ganzoo.score(against="digits")
    with pytest.raises(IncompatibleError, match="--metrics fid,is,kid,prdc,fid-infinity,modes"):
        ganzoo.score("digits", against="digits", metrics="quality")
    with pytest.raises(GanzooError, match="no test split"):
        ganzoo.score(f"zip:path={folder}/fakes.zip@test", against="digits")
