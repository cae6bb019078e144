"""Bad input ends the command line with code 2 and one line that says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from command_line import homeless
from PIL import Image

import ganzoo
from ganzoo.cli.main import main
from ganzoo.errors import ParameterError
from ganzoo.results.store import Result, open_grid, run_folder, write_json

BENCH = ("bench", "--model", "mlp", "--loss", "bce")
Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that runs `ganzoo WORDS...`, sees it refuse as it should, and returns the one line."""

    def run(*words: str | Path) -> str:
        monkeypatch.setattr("sys.argv", ["ganzoo", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("ganzoo: ")
        return line

    return run


def images(folder: Path, count: int = 4) -> Path:
    """Fill a folder with images."""
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / f"{i}.png")
    return folder


# What the plan finds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bnch",), 'no command "bnch"; did you mean "bench"? (see: ganzoo --help)'),
        (("bench", "--modle", "mlp"), "--modle"),
        (("bench", "--jobs", "0"), "--jobs"),
        (("bench", "--device", "gpu"), "'gpu' is not one of 'auto', 'cpu', 'cuda' (see: ganzoo bench --help)"),
        (("list", "modles"), "modles"),
        (("show", "dcgn"), 'did you mean "dcgan"?'),
        (("show",), "Missing argument 'NAME' (see: ganzoo show --help)"),
        (("show", "bce:saturating=true"), 'nothing is called "bce:saturating=true"; did you mean "bce"?'),
        (("show", "qqq"), 'nothing is called "qqq" (ganzoo list shows all)'),
        (("new",), "Choose from: architecture, loss, trick, "),
        (("check", "nowhere/"), "nowhere/: no such folder; name the folder of a plugin, or what is installed"),
        (("bench", "--model"), "Option '--model' requires an argument (see: ganzoo bench --help)"),
        ((*BENCH, "--out", ""), "--out: must be the path of a folder, not ''"),
        ((*BENCH, "--recipe", "steps=5", "--steps", "7"), "--recipe: steps is given twice, as 5 and as 7"),
        ((*BENCH, "--recipe", "beta1=0,beta1=0.5"), "--recipe: beta1 is given twice, as 0 and as 0.5"),
        (("report",), "Missing argument"),
        (("report", "x", "--format", "html"), "'html' is not one of 'md', 'csv', 'latex', 'json'"),
        (("bench", "--loss", "bce"), "which model? add --model NAME"),
        (("bench", "--model", "mlp"), "which loss? add --loss NAME"),
        (("bench", "--model", "dcgn", "--loss", "bce"), 'no architecture "dcgn"; did you mean "dcgan"?'),
        (("bench", "--model", "bce", "--loss", "bce"), '"bce" is a loss, not an architecture; see: ganzoo show bce'),
        (("bench", "--model", "mlp", "--loss", "bec"), 'no loss "bec"; did you mean "bce"?'),
        ((*BENCH, "--trick", "lable-smoothing"), 'no trick "lable-smoothing"; did you mean "label-smoothing"?'),
        ((*BENCH, "--ablate", "spectralnorm"), 'no trick "spectralnorm"; did you mean "spectral-norm"?'),
        ((*BENCH, "--dataset", "digit"), 'no dataset "digit"; did you mean "digits"?'),
        ((*BENCH, "--extractor", "digit-cnn"), 'no extractor "digit-cnn"; did you mean "digits-cnn"?'),
        ((*BENCH, "--trick", "label-smoothing:rael=0.9"), 'no parameter "rael"; did you mean "real"?'),
        ((*BENCH, "--trick", "label-smoothing:real=1.9"), "real must be"),
        ((*BENCH, "--trick", "label-smoothing:real=much"), 'not "much"'),
        ((*BENCH, "--trick", "label-smoothing:real"), "label-smoothing:key=value"),
        ((*BENCH, "--trick", "ema", "--ablate", "ema"), "ema is named twice"),
        (("bench", "--model", "mlp", "--loss", "bce,bce"), "twice"),
        ((*BENCH, "--steps", "many"), 'not "many"'),
        ((*BENCH, "--steps", "0"), "steps must be at least 1"),
        ((*BENCH, "--batch-size", "2000"), "batch size 2000 exceeds the 1198 training images"),
        ((*BENCH, "--recipe", "generator_rl=1"), 'did you mean "generator_lr"?'),
        ((*BENCH, "--recipe", "fast"), '"fast" is not key=value'),
        ((*BENCH, "--seeds", "0"), "--seeds: write how many (3) or which (0,7,9)"),
        ((*BENCH, "--seeds", "1,1"), "--seeds"),
        ((*BENCH, "--samples", "some"), "--samples: must be a whole number, at least 2"),
        ((*BENCH, "--evaluations", "0"), "--evaluations: must be a whole number, at least 1"),
        (("bench", "--model", "mlp", "--loss", "hinge", "--trick", "label-smoothing"), "no combination of this grid"),
        ((*BENCH, "--dataset", "folder"), "path is needed"),
        ((*BENCH, "--dataset", "folder:path=nowhere"), "path 'nowhere' does not exist"),
        ((*BENCH, "--dataset", "zip:path=nowhere.zip"), "path 'nowhere.zip' does not exist"),
        ((*BENCH, "--out", "~nobody-at-all/x"), "~nobody-at-all/x: no home folder is known for it"),
        ((*BENCH, "--data-root", "~nobody-at-all/x"), "~nobody-at-all/x: no home folder is known for it"),
        ((*BENCH, "--dataset", "folder:path=~nobody-at-all/x"), "~nobody-at-all/x: no home folder is known for it"),
        (("score", "~nobody-at-all/x"), "~nobody-at-all/x: no home folder is known for it"),
        (("bench", "nowhere.toml"), "nowhere.toml: no such suite file"),
        (("report", "n" * 300), "n" * 300),
        (("score", "n" * 300, "--against", "digits"), "n" * 300),
        (("sample", "n" * 300, "--out", "x.png"), "n" * 300),
        ((*BENCH, "--dataset", f"folder:path={'n' * 300}"), "n" * 300),
        ((*BENCH, "--dataset", "n" * 300), "n" * 300),
        (("check", "n" * 300), "n" * 300),
        (("check", "n" * 300 + "/"), "n" * 300),
        (("new", "loss", "sphere", "--in", "n" * 300), "n" * 300),
        (("report", "nowhere"), "nowhere is not a results folder: it has no grid.json"),
        (("sample", "nowhere", "--out", "x.png"), "nowhere is not a run: it has no config.json"),
        (("sample", "nowhere"), "Missing option '--out'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_what_is_typed_wrong_is_named(words: tuple[str, ...], said: str, refused: Refused, tmp_path: Path) -> None:
    assert said in refused(*words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["a\0b", "~a\0b/c"])
def test_a_path_with_a_nul_is_refused_wherever_python_takes_one(path: str, tmp_path: Path) -> None:
    for call in (
        lambda: ganzoo.report(path),
        lambda: ganzoo.load(path),
        lambda: ganzoo.score(path, against="digits"),
        lambda: ganzoo.score("digits@test", against=path),
        lambda: ganzoo.score("mnist@test", against="mnist", data_root=path),
        lambda: ganzoo.plan(suite=path),
        lambda: ganzoo.plan(model="mlp", loss="bce", dataset=f"folder:path={path}"),
        lambda: ganzoo.plan(model="mlp", loss="bce", dataset=f"zip:path={path}"),
    ):
        with pytest.raises(ParameterError, match=r"x00b.* holds a NUL, which no path does"):
            call()


def test_a_user_without_a_home_is_told_what_to_set(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one is whom `docker run --user` makes."""
    homeless(monkeypatch)
    assert "~/.cache: no home folder is known for it; write the whole path, or set HOME" in refused(*BENCH)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('model = "mlp', "suite.toml: not valid TOML"),
        ('modle = "mlp"', 'suite.toml: unknown key "modle"; did you mean "model"?'),
        ('model = "mlp"\nloss = "bce"\n[recipe]\nstep = 5', 'unknown key "recipe.step"; did you mean "steps"?'),
        ('model = "mlp"\nloss = "bce"\n[recipe]\nsteps = "x"', "suite.toml: recipe"),
        ('model = "mlp"\nloss = "bce"\nseeds = -1', "suite.toml: seeds"),
        ('model = "mlp"\nloss = [3]', "suite.toml: loss"),
        ('model = "mlp"\nloss = "bce"\nout = "~nobody-at-all"', "suite.toml: out: ~nobody-at-all: no home folder"),
        ('model = "mlp"\nloss = "bce"\ndataset = "folder:path=nowhere"', "suite.toml: dataset: path 'nowhere'"),
        ('model = "mlp"\nloss = "bce"\ndevice = "gpu"', "suite.toml: device: must be auto or cpu or cuda"),
    ],
)
def test_a_suite_file_names_its_key(text: str, said: str, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(text)
    assert said in refused("bench", tmp_path / "suite.toml")


def test_a_folder_without_images_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'} holds no images" in refused(*BENCH, "--dataset", "folder:path=empty")


def test_a_truncated_zip_is_named(refused: Refused, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "whole.zip", "w") as whole:
        for file in images(tmp_path / "images").iterdir():
            whole.write(file, file.name)
    (tmp_path / "cut.zip").write_bytes((tmp_path / "whole.zip").read_bytes()[:200])
    line = refused(*BENCH, "--dataset", "zip:path=cut.zip")
    assert f"{tmp_path / 'cut.zip'} is not a readable zip" in line


def test_a_current_folder_that_was_deleted_is_named(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    line = refused(*BENCH, "--out", tmp_path / "out")
    assert line == "ganzoo: the current folder was deleted; change to one that is there"


# Results ------------------------------------------------------------------------------------------------------------


def test_an_out_that_cannot_be_written_is_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(*BENCH, "--out", tmp_path / "file" / "out")
    assert f"cannot write results to {tmp_path / 'file' / 'out'}: Not a directory; choose another --out" in line


def test_an_out_that_holds_another_grid_is_named(refused: Refused, tmp_path: Path) -> None:
    (run,) = ganzoo.plan(model="mlp", loss="hinge").runs
    with open_grid(tmp_path / "out", (run,)):
        folder = run_folder(tmp_path / "out", run)
        folder.mkdir(parents=True)
        write_json(folder / "config.json", run)
    assert "out holds another grid (mlp + hinge; 1 of its 1 runs are not in this one)" in refused(
        *BENCH, "--out", "out"
    )


def test_an_out_that_holds_other_files_is_named(refused: Refused, tmp_path: Path) -> None:
    assert "images holds other files" in refused(*BENCH, "--out", images(tmp_path / "images"))


def test_an_out_that_another_ganzoo_works_in_is_named(refused: Refused, tmp_path: Path) -> None:
    with open_grid(tmp_path / "out", ganzoo.plan(model="mlp", loss="bce").runs):
        assert f"another ganzoo is working in {tmp_path / 'out'}" in refused(*BENCH, "--out", tmp_path / "out")


def test_results_that_are_damaged_are_named(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_text('{"runs": "all"}')
    line = refused("report", tmp_path)
    assert f"{tmp_path / 'grid.json'} is not what ganzoo writes: Expected `array`, got `str` - at `$.runs`" in line


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "has not finished; run the ganzoo bench command that made it again"),
        ("diverged", "holds no trained generator: it diverged at step 300: the critic's loss is not finite"),
        ("failed", "holds no trained generator: it failed: the critic's loss is not finite"),
    ],
)
def test_a_run_without_a_generator_cannot_be_sampled(
    status: str | None, said: str, refused: Refused, tmp_path: Path
) -> None:
    (run,) = ganzoo.plan(model="mlp", loss="bce").runs
    write_json(tmp_path / "config.json", run)
    if status:
        result = Result(run=run.id, combination=run.combination, seed=0, status=status, step=300,  # type: ignore[arg-type]
                        reason="the critic's loss is not finite")  # fmt: skip
        write_json(tmp_path / "result.json", result)
    assert f"{tmp_path} {said}" in refused("sample", tmp_path, "--out", "x.png")


# What only a look at data and networks finds, before anything trains ------------------------------------------------


def nothing_trained(out: Path) -> bool:
    return not list(out.glob("*/seed-*"))


@pytest.mark.slow
def test_a_broken_image_is_named_before_anything_trains_and_can_be_mended(refused: Refused, tmp_path: Path) -> None:
    folder = images(tmp_path / "images", 4)
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:40])
    data = ("--dataset", "folder:path=images,size=8,channels=1", "--batch-size", "2", "--out", "out")
    assert f"{folder / '2.png'} cannot be decoded" in refused(*BENCH, *data, "--extractor", "digits-cnn")
    assert nothing_trained(tmp_path / "out")
    (folder / "2.png").unlink()
    assert "samples" in refused(*BENCH, *data, "--extractor", "digits-cnn", "--samples", "3")  # another grid by now


@pytest.mark.slow
def test_a_gpu_that_is_not_there_is_named(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "finds no CUDA device; use --device cpu or auto" in refused(*BENCH, "--device", "cuda", "--out", "out")
    assert nothing_trained(tmp_path / "out")


@pytest.mark.slow
def test_weights_that_are_missing_without_a_network_are_named(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there: refused at once
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    images(tmp_path / "images", 4)
    line = refused(*BENCH, "--dataset", "folder:path=images,size=8", "--batch-size", "2", "--out", "out")
    assert f"{tmp_path / 'torch'}" in line
    assert "the Inception weights are not there and cannot be downloaded" in line
    assert nothing_trained(tmp_path / "out")
