"""`ganzoo bench` trains a grid, scores it, and never does anything twice; report, sample and Python agree with it."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import SMALL, ganzoo
from PIL import Image

import ganzoo as gz
from ganzoo.cli.main import main
from ganzoo.errors import Interrupted, ParameterError
from ganzoo.results.store import Result, read_json

pytestmark = pytest.mark.slow

GRID = ("bench", "--model", "mlp", "--loss", "bce", "--steps", "20", *SMALL)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Train two seeds; return the results folder and what was printed. Tests leave the folder as it is."""
    out = tmp_path_factory.mktemp("bench") / "out"
    code, printed, errors = ganzoo(*GRID, "--seeds", "2", "--out", out)
    assert (code, errors) == (0, "")
    return out, printed


@pytest.fixture
def out(bench: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of the trained grid for one test."""
    return shutil.copytree(bench[0], tmp_path / "out")


def run_folders(out: Path) -> list[Path]:
    return sorted(file.parent for file in out.glob("*/*/config.json"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    """Run the command line in this process and return what it printed."""
    monkeypatch.setattr("sys.argv", ["ganzoo", *map(str, words)])
    main()
    return capsys.readouterr().out


# Training -----------------------------------------------------------------------------------------------------------


def test_the_table_names_scores_by_their_network_and_never_fid_or_is(bench: tuple[Path, str]) -> None:
    printed = bench[1]
    assert "FD-digits-cnn last  FD-digits-cnn best  CS-digits-cnn last  CS-digits-cnn best" in printed
    assert not re.search(r"\b(FID|IS)\b", printed)


def test_the_table_has_the_combination_the_floor_and_untrained_generators(bench: tuple[Path, str]) -> None:
    for row in (r"mlp \+ bce +\d+\.\d\d ± \d+\.\d\d .* 2 +0/2 +1,280 ", r"real images \(floor\) +\d", r"untrained gen"):
        assert re.search(f"^{row}", bench[1], re.MULTILINE)


def test_pictures_and_results_lie_where_the_last_lines_say(bench: tuple[Path, str]) -> None:
    out, printed = bench
    assert f"samples: {out / 'samples.png'}\nresults: {out} " in printed
    for picture in (out / "samples.png", *(folder / "samples.png" for folder in run_folders(out))):
        with Image.open(picture) as image:
            image.verify()
    results = [read_json(folder / "result.json", Result) for folder in run_folders(out)]
    assert [(result.seed, result.status, result.step) for result in results] == [(0, "done", 20), (1, "done", 20)]


@pytest.mark.parametrize("name", ["my runs", "-x 'y'"])
def test_the_command_for_the_table_can_be_typed_whatever_the_folder_is_called(
    out: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(out.parent)
    out.rename(name)
    printed = shown(capsys, monkeypatch, *GRID, "--seeds", "2", f"--out={name}")
    command = printed.splitlines()[-1].partition("(table again: ")[2].removesuffix(")")
    assert shown(capsys, monkeypatch, *shlex.split(command)[1:]).splitlines()[0].startswith("combination")


def test_a_finished_run_keeps_no_checkpoint_but_its_log_and_weights(bench: tuple[Path, str]) -> None:
    for folder in run_folders(bench[0]):
        names = {file.name for file in folder.iterdir()}
        assert {"metrics.jsonl", "generator-last.safetensors", "generator-best.safetensors"} <= names
        assert "checkpoint.pt" not in names
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert [row["step"] for row in rows if "selection" in row] == [10, 20]


def test_running_again_trains_nothing(out: Path) -> None:
    before = contents(out)
    code, printed, errors = ganzoo(*GRID, "--seeds", "2", "--out", out)
    assert (code, errors) == (0, "")
    assert "2 runs done already, nothing to train" in printed
    assert "FD-digits-cnn last" in printed
    assert contents(out) == before


def test_what_a_kill_left_beside_results_is_removed(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_folders(out)[0]
    before = set(out.rglob("*"))
    (run / "checkpoint.pt").touch()
    (out / ".grid.json.4711").touch()
    shown(capsys, monkeypatch, *GRID, "--seeds", "2", "--out", out)
    assert set(out.rglob("*")) == before


@pytest.mark.parametrize("size", [0, 100, 2000])
def test_a_picture_that_is_damaged_is_named_and_keeps_nothing_else_from_being_shown(
    out: Path, size: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = run_folders(out)[0] / "samples.png"
    picture.write_bytes(picture.read_bytes()[:size])
    *_, before, results = shown(capsys, monkeypatch, *GRID, "--seeds", "2", "--out", out).splitlines()
    assert before.startswith(f"no picture of the samples: {picture} is damaged (")
    assert before.endswith("; delete it to go without")
    assert results.startswith(f"results: {out}")


def test_a_further_seed_trains_just_that_one(out: Path) -> None:
    before = [contents(folder) for folder in run_folders(out)]
    code, printed, errors = ganzoo(*GRID, "--seeds", "3", "--out", out)
    assert (code, errors) == (0, "")
    assert "training 1 run on cpu, 1 at a time, 2 done before" in printed
    assert re.search(r"^mlp \+ bce .* 3 +0/3 ", printed, re.MULTILINE)
    assert [contents(folder) for folder in run_folders(out)[:2]] == before


# Afterwards ---------------------------------------------------------------------------------------------------------


def test_report_shows_the_same_table_again(
    bench: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = shown(capsys, monkeypatch, "report", bench[0])
    assert again in bench[1]


def test_report_formats_agree(
    bench: tuple[Path, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {form: shown(capsys, monkeypatch, "report", bench[0], "--format", form) for form in ("json", "csv", "md")}
    found = json.loads(texts["json"])
    assert set(found) == {"tables", "environments", "plugins", "pending"}  # as docs/command-line.md says
    (table,) = found["tables"]
    (line,) = csv.DictReader(io.StringIO(texts["csv"]))
    mean, sd = (table["rows"][0]["last"]["fid"][key] for key in ("mean", "sd"))
    assert (float(line["FD-digits-cnn last"]), float(line["FD-digits-cnn last sd"])) == (mean, sd)
    assert f"| mlp + bce | {mean:.2f} ± {sd:.2f} |" in texts["md"]
    assert f"mlp + bce & {mean:.2f} $\\pm$ {sd:.2f} &" in shown(
        capsys, monkeypatch, "report", bench[0], "--format", "latex"
    )


def test_sample_draws_a_grid_or_a_folder_of_images(
    bench: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_folders(bench[0])[0]
    shown(capsys, monkeypatch, "sample", run, "--n", "9", "--out", tmp_path / "new" / "grid.png")
    with Image.open(tmp_path / "new" / "grid.png") as grid:
        assert grid.size == (3 * 34 + 2, 3 * 34 + 2)  # 8x8 images, four times as large, 2 pixels apart
    shown(capsys, monkeypatch, "sample", run, "--n", "3", "--seed", "5", "--out", tmp_path / "images")
    images = [np.asarray(Image.open(file)) for file in sorted((tmp_path / "images").iterdir())]
    assert np.array_equal(images, gz.load(run).sample(3, seed=5)[:, 0])
    monkeypatch.setattr("sys.argv", ["ganzoo", "sample", str(run), "--out", str(tmp_path / "grid.JPG")])
    with pytest.raises(SystemExit):
        main()
    assert "grid.JPG: pictures are written as .png; give NAME.png" in capsys.readouterr().err
    assert not (tmp_path / "grid.JPG").exists()


def test_a_loaded_run_draws_what_its_seed_says(bench: tuple[Path, str]) -> None:
    sampler = gz.load(run_folders(bench[0])[0], "last")
    images = sampler.sample(300, seed=1)
    assert (tuple(images.shape), str(images.dtype)) == ((300, 1, 8, 8), "torch.uint8")
    assert images.equal(sampler.sample(300, seed=1))
    assert not images.equal(sampler.sample(300, seed=2))


# Python -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1])
def test_no_images_cannot_be_drawn(count: int, bench: tuple[Path, str]) -> None:
    with pytest.raises(ParameterError, match=f"count must be at least 1, not {count}"):
        gz.load(run_folders(bench[0])[0]).sample(count)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "given",
    [lambda: default_dtype(torch.float64), lambda: torch.device("meta"), lambda: torch.autocast("cpu", torch.bfloat16)],
    ids=["dtype", "device", "autocast"],
)
def test_what_the_caller_has_set_in_pytorch_changes_no_image_and_no_score(
    bench: tuple[Path, str], given: Callable[[], AbstractContextManager[object]]
) -> None:
    run = run_folders(bench[0])[0]
    images, score = gz.load(run).sample(8), gz.score(run, metrics="fid,is,kid,prdc").rows
    with given():
        assert np.array_equal(gz.load(run).sample(8).numpy(), images.numpy())
        assert gz.score(run, metrics="fid,is,kid,prdc").rows == score


def test_python_gives_the_numbers_of_the_command_line(bench: tuple[Path, str], tmp_path: Path) -> None:
    summary = gz.bench(
        model="mlp", loss="bce", seeds=2, samples=50, evaluations=2, recipe={"steps": 20}, device="cpu",
        out=tmp_path / "python",
    )  # fmt: skip
    (ours,), (theirs,) = summary.rows, gz.report(bench[0]).rows
    assert (ours.last, ours.best, ours.untrained) == (theirs.last, theirs.best, theirs.untrained)
    assert [folder.name for folder in run_folders(tmp_path / "python")] == ["seed-0", "seed-1"]


def test_python_says_where_what_is_finished_is_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object) -> None:
        raise Interrupted("stopped")

    monkeypatch.setattr("ganzoo.engine.grid.run_grid", interrupted)
    with pytest.raises(
        Interrupted, match=f"^stopped; what is finished is kept in {tmp_path}; the same call continues$"
    ):
        gz.bench(model="mlp", loss="bce", out=tmp_path)


def test_ctrl_c_pressed_again_says_how_to_continue_too(tmp_path: Path, monkeypatch, capsys) -> None:
    """While runs are stopped or killed, it reaches the command as Python's own exception."""

    def impatient(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ganzoo.cli.bench.run_grid", impatient)
    with pytest.raises(SystemExit) as ended:
        shown(capsys, monkeypatch, *GRID, "--out", tmp_path)
    assert ended.value.code == 130
    said = f"ganzoo: stopped; what is finished is kept in {tmp_path}; to continue: ganzoo bench --model mlp"
    assert capsys.readouterr().err.startswith(said)
