"""Tables say what the runs scored, over how many seeds, under which protocol, and what went wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import ganzoo
from ganzoo.cli.main import main
from ganzoo.errors import ResultsError
from ganzoo.evaluate.metrics import METRICS
from ganzoo.evaluate.protocol import Protocol
from ganzoo.planning.published import Published
from ganzoo.planning.run import Run
from ganzoo.results.formats import to_csv, to_json, to_latex, to_markdown
from ganzoo.results.rows import Row, Spread, Summary, spread
from ganzoo.results.store import Checkpoint, Result, open_grid, run_folder, write_json
from ganzoo.results.summary import summarise
from ganzoo.results.tables import cells, header, notes
from ganzoo.zoo.specs.extractors import INCEPTION_2015_SHA256

PROTOCOL = Protocol(
    dataset="digits",
    data_sha256="d" * 64,
    reference="the train split",
    reference_count=1198,
    samples=599,
    floor="599 real images, test split",
    extractor="digits-cnn",
    extractor_sha256="e" * 64,
    resize="none",
    dimension=32,
    classes=10,
    best="by fid at the evaluation points",
)
FLOOR = {"fid": 2.5, "is": 9.5, "is_sd": 0.1}


def runs(**request: object) -> tuple[Run, ...]:
    return ganzoo.plan(**{"model": "mlp", "loss": "bce", **request}).runs


def at(step: int, distance: float, classifier: float) -> Checkpoint:
    return Checkpoint(step, {"fid": distance, "is": classifier, "is_sd": 0.0})


def done(run: Run, last: float, best: float | None = None, **fields: object) -> Result:
    """Return the result of a run whose distances were `last` and `best`; its classifier scores are a tenth."""
    best = last if best is None else best
    known = {
        "run": run.id, "combination": run.combination, "seed": run.seed, "status": "done", "step": 1000,
        "last": at(1000, last, last / 10), "best": at(800, best, best / 10), "untrained": at(0, 100 + last, 1.0),
        "floor": FLOOR, "protocol": PROTOCOL, "images_seen": 64_000, "device_seconds": 10.0 + run.seed,
        "peak_memory_bytes": 3 * 2**20, "parameters": {"generator": 1_500_000, "discriminator": 2_500},
        "environment": {"device": "CPU", "threads": "1", "mode": "eager", "precision": "float32", "torch": "2.0",
                        "python": "3.11", "system": "Linux"},
    }  # fmt: skip
    return Result(**(known | fields))  # type: ignore[arg-type]


def scored(run: Run, score: dict[str, float], **fields: object) -> Result:
    return msgspec.structs.replace(done(run, 10, **fields), last=Checkpoint(1000, score))


def ended_early(run: Run, status: str, reason: str, step: int = 0, **fields: object) -> Result:
    return Result(
        run=run.id, combination=run.combination, seed=run.seed, status=status, reason=reason, step=step, **fields  # type: ignore[arg-type]
    )  # fmt: skip


def write(out: Path, grid: tuple[Run, ...], *results: Result) -> Path:
    """Leave a results folder in which the first runs of a grid have ended."""
    with open_grid(out, grid):
        for run, result in zip(grid, results, strict=False):
            folder = run_folder(out, run)
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "config.json", run)
            write_json(folder / "result.json", result)
    return out


def table(out: Path, *results_of: float, **request: object) -> Summary:
    grid = runs(seeds=len(results_of), **request)
    return summarise([write(out, grid, *(done(run, last) for run, last in zip(grid, results_of, strict=True)))])


PUBLISHED = Published(
    source="Some Paper, table 2",
    scores={"fid": 12.0, "is": 9.0},
    extractor="digits-cnn",
    samples=599,
    reference="the train split",
    steps=200_000,
    remark="another data order",
)


def beside(out: Path, published: Published) -> Summary:
    grid = runs(seeds=2)
    with open_grid(write(out, grid, *(done(run, 10.5) for run in grid)), grid, {grid[0].combination_id: published}):
        return summarise([out])


def test_a_published_score_stands_beside_ours_with_the_difference(tmp_path):
    summary = beside(tmp_path, PUBLISHED)
    (found,) = summary.tables
    row = dict(zip(header(found), cells(found)[0], strict=True))
    assert row["published"] == "FD-digits-cnn 12.00 (-1.50), CS-digits-cnn 9.00 (-7.95)"
    assert cells(found)[1][header(found).index("published")] == ""  # real images
    said = "Published, mlp + bce: Some Paper, table 2 (last checkpoint, 200,000 steps); another data order."
    assert said in notes(summary)


def test_a_published_score_of_another_protocol_is_shown_without_a_difference(tmp_path):
    theirs = msgspec.structs.replace(PUBLISHED, extractor="inception", samples=50_000, remark="")
    summary = beside(tmp_path, theirs)
    (found,) = summary.tables
    assert cells(found)[0][header(found).index("published")] == "FID 12.00, IS 9.00"
    assert any(
        note.endswith("not comparable: another extractor (inception / digits-cnn), samples (50000 / 599).")
        for note in notes(summary)
    )


def test_what_inception_scored_is_not_compared_with_other_weights_or_code_of_that_name(tmp_path):
    grid = runs()
    published = {
        grid[0].combination_id: msgspec.structs.replace(PUBLISHED, extractor="inception", scores={"fid": 12.0})
    }
    eyes = "ganzoo-eyes 1.0 (sha256 12345678)"
    for number, (weights, code, said) in enumerate([
        (INCEPTION_2015_SHA256, "", "FID 12.00 (-1.50)"), ("e" * 64, "", "FID 12.00"),
        (INCEPTION_2015_SHA256, eyes, "FID 12.00"),
    ]):  # fmt: skip
        protocol = msgspec.structs.replace(
            PROTOCOL, extractor="inception", extractor_sha256=weights, extractor_code=code
        )
        out = write(tmp_path / str(number), grid, done(grid[0], 10.5, protocol=protocol))
        with open_grid(out, grid, published):
            (found,) = summarise([out]).tables
        assert cells(found)[0][header(found).index("published")] == said


def test_the_published_checkpoint_stands_beside_its_own_row_in_the_columns_that_were_printed(tmp_path):
    grid = runs(loss=["bce", "hinge"])
    theirs = msgspec.structs.replace(PUBLISHED, scores={"fid": 12.0}, checkpoint="best")
    write(tmp_path, grid, *(done(run, 10.5, best=9.0) for run in grid))
    with open_grid(tmp_path, grid, {grid[0].combination_id: theirs}):
        (found,) = summarise([tmp_path]).tables
    column = header(found).index("published")
    assert [row[column] for row in cells(found)[:2]] == ["FD-digits-cnn 12.00 (-3.00)", "-"]


def test_a_table_without_published_scores_has_no_such_column(tmp_path):
    assert "published" not in header(table(tmp_path, 1.0, 2.0).tables[0])


def about(mean: float, sd: float, n: int) -> Any:
    return MeanSdN(mean, sd, n)


class MeanSdN:
    """Equal to a spread of about this mean and sd over n seeds."""

    def __init__(self, mean: float, sd: float, n: int) -> None:
        self.expected = (pytest.approx(mean), pytest.approx(sd), n)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spread) and (other.mean, other.sd, other.n) == self.expected


# Numbers ------------------------------------------------------------------------------------------------------------


def test_a_spread_is_mean_and_sample_sd() -> None:
    assert spread([10.0, 12.0, 17.0]) == about(13.0, math.sqrt((9 + 1 + 16) / 2), 3)
    assert str(spread([10.0, 12.0, 17.0])) == "13.00 ± 3.61"


def test_one_seed_has_no_sd_and_none_no_spread() -> None:
    assert spread([4.0]) == Spread(4.0, None, (4.0,))
    assert str(spread([4.0])) == "4.00"
    assert spread([]) is None


def test_a_row_is_mean_and_sd_over_seeds(tmp_path: Path) -> None:
    grid = runs(seeds=2)
    (row,) = summarise([write(tmp_path, grid, done(grid[0], 10, 8), done(grid[1], 14, 9))]).rows
    assert row.last["fid"] == about(12.0, math.sqrt(8), 2)
    assert row.best["fid"] == about(8.5, math.sqrt(0.5), 2)
    assert row.last["is"] == about(1.2, math.sqrt(0.08), 2)
    assert row.best["is"] == about(0.85, math.sqrt(0.005), 2)
    assert row.untrained["fid"] == about(112.0, math.sqrt(8), 2)
    assert row.device_seconds == about(10.5, math.sqrt(0.5), 2)
    assert (row.runs, row.done, row.failures, row.failure_rate, row.best_steps) == (2, 2, (), 0.0, (800, 800))


def test_the_best_mean_comes_first_and_rows_without_a_score_last(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge", "wgan-gp"])
    results = (ended_early(grid[0], "failed", "Boom: b"), done(grid[1], 9), done(grid[2], 8))
    summary = summarise([write(tmp_path, grid, *results)])
    assert [row.combination for row in summary.rows] == ["mlp + wgan-gp", "mlp + hinge", "mlp + bce"]


def test_runs_that_diverge_or_fail_stay_in_the_table_and_out_of_the_mean(tmp_path: Path) -> None:
    grid = runs(seeds=4)
    results = (
        done(grid[0], 10),
        ended_early(grid[1], "diverged", "the generator's loss is not finite", 1300, protocol=PROTOCOL),
        done(grid[2], 20),
        ended_early(grid[3], "failed", "ValueError: no"),
    )
    summary = summarise([write(tmp_path, grid, *results)])
    (row,) = summary.rows
    assert (row.runs, row.done, row.failure_rate) == (4, 2, 0.5)
    assert row.last["fid"] == about(15.0, math.sqrt(50), 2)
    assert row.failures == (
        "seed 1 diverged at step 1,300: the generator's loss is not finite",
        "seed 3 failed: ValueError: no",
    )
    text = dict(zip(header(summary.tables[0]), cells(summary.tables[0])[0], strict=True))
    assert (text["n"], text["failed"]) == ("2", "2/4")
    assert text["remarks"] == "; ".join(["best at step 800, 800", *row.failures])
    assert "Failed runs are in no mean: a row that has any may look better than it is." in notes(summary)


def test_rows_say_how_many_checkpoints_the_best_is_of_where_that_differs(tmp_path: Path) -> None:
    """The best of fifty is better than the best of five."""
    few, many = (runs(evaluations=count, recipe={"steps": 20}) for count in (5, 50))
    folders = [write(tmp_path / grid[0].id, grid, done(grid[0], 10)) for grid in (few, many)]
    assert [row[-1] for row in cells(summarise(folders).tables[0])[:2]] == [
        "best of 5 at step 800", "best of 20 at step 800"
    ]  # fmt: skip
    assert cells(summarise(folders[:1]).tables[0])[0][-1] == "best at step 800"


def test_a_combination_that_never_scored_is_a_row_without_numbers(tmp_path: Path) -> None:
    (run,) = grid = runs()
    (only,) = summarise([write(tmp_path, grid, ended_early(run, "failed", "ValueError: no"))]).tables
    (row,) = cells(only)
    assert row[:7] == ["mlp + bce", "-", "-", "-", "-", "0", "1/1"]
    assert header(only)[1:5] == ["FD last", "FD best", "CS last", "CS best"]


def test_every_run_without_a_result_is_pending_whether_it_has_begun_or_not(tmp_path: Path) -> None:
    grid = runs(seeds=5)
    write(tmp_path, grid, done(grid[0], 10))
    begun = run_folder(tmp_path, grid[1])
    begun.mkdir()
    write_json(begun / "config.json", grid[1])
    summary = summarise([tmp_path])
    assert (summary.pending, summary.rows[0].runs) == (4, 1)
    assert notes(summary)[-1].startswith("4 runs have no result yet")


def test_a_run_that_two_folders_hold_counts_once(tmp_path: Path) -> None:
    grid = runs(seeds=2)
    first = write(tmp_path / "a", grid, done(grid[0], 10), ended_early(grid[1], "failed", "a power cut"))
    second = write(tmp_path / "b", grid, done(grid[0], 10), done(grid[1], 14))
    (row,) = summarise([first, second, first]).rows
    assert (row.runs, row.done, row.last["fid"]) == (2, 2, about(12.0, math.sqrt(8), 2))


# Protocols ----------------------------------------------------------------------------------------------------------


def test_rows_that_share_a_name_say_what_they_differ_in(tmp_path: Path) -> None:
    """Results folders of two lengths, or a suite that lists a combination with two recipes, say."""
    short, long, again = (
        write(tmp_path / str(distance), grid := runs(**request), done(grid[0], distance))
        for distance, request in (
            (1, {"recipe": {"steps": 5, "generator_lr": 1e-4}}),
            (2, {"recipe": {"steps": 9}}),
            (3, {"recipe": {"steps": 9}, "evaluations": 2}),
        )
    )
    names = [row.combination for row in summarise([short, long]).rows]
    assert names == ["mlp + bce (steps=5, generator_lr=0.0001)", "mlp + bce (steps=9, generator_lr=0.0002)"]
    names = [row.combination for row in summarise([long, again]).rows]
    assert all(name.startswith(f"mlp + bce ({folder}") for name, folder in zip(names, (long, again), strict=True))
    assert not any("mlp + bce: mlp" in note for note in notes(summarise([short, long])))
    assert [row.combination for row in summarise([short]).rows] == ["mlp + bce"]


def test_scores_of_different_protocols_are_not_ranked(tmp_path: Path) -> None:
    grid = runs(seeds=2)
    fewer = msgspec.structs.replace(PROTOCOL, samples=50)
    write(tmp_path, grid, done(grid[0], 10), done(grid[1], 10, protocol=fewer))
    with pytest.raises(ResultsError, match=r"differ in: samples \(599 / 50\)\. ganzoo report --split"):
        summarise([tmp_path])


def test_each_dataset_has_a_table_of_its_own(tmp_path: Path) -> None:
    grid = runs(dataset=["digits", "mnist"], loss=["bce", "hinge"])
    mnist = msgspec.structs.replace(PROTOCOL, dataset="mnist", extractor="mnist-cnn")
    results = (*(done(run, 10) for run in grid[:2]), *(done(run, 20, protocol=mnist) for run in grid[2:]))
    summary = summarise([write(tmp_path, grid, *results)])
    assert [(one.dataset, len(one.rows), header(one)[1]) for one in summary.tables] == [
        ("digits", 2, "FD-digits-cnn last"),
        ("mnist", 2, "FD-mnist-cnn last"),
    ]
    assert len(summary.rows) == 4
    assert re.findall(r"^\*\*(.*)\*\*$", to_markdown(summary), re.MULTILINE) == ["digits", "mnist"]
    assert to_latex(summary).count(r"\begin{tabular}") == 2
    lines = list(csv.DictReader(to_csv(summary).splitlines()))
    assert [(line["dataset"], line["FD-digits-cnn last"], line["FD-mnist-cnn last"]) for line in lines] == [
        ("digits", "10.0", ""), ("digits", "10.0", ""), ("mnist", "", "20.0"), ("mnist", "", "20.0"),
    ]  # fmt: skip


def test_only_the_inception_network_itself_gives_an_fid_and_an_is(tmp_path: Path) -> None:
    (run,) = grid = runs()
    for sha256, names in ((INCEPTION_2015_SHA256, ("FID", "IS")), ("0" * 64, ("FD-inception", "CS-inception"))):
        protocol = msgspec.structs.replace(PROTOCOL, extractor="inception", extractor_sha256=sha256)
        (only,) = summarise([write(tmp_path / sha256[:4], grid, done(run, 10, protocol=protocol))]).tables
        assert header(only)[1:5] == [f"{names[0]} last", f"{names[0]} best", f"{names[1]} last", f"{names[1]} best"]


def test_python_takes_a_path_below_the_home_folder_wherever_it_takes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "suite.toml").write_text('model = "mlp"\nloss = "bce"\nout = "~/out"')
    (run,) = grid = ganzoo.plan("~/suite.toml").runs
    place = run_folder(write(tmp_path / "out", grid, done(run, 10)), run)
    assert ganzoo.report("~/out").rows == ganzoo.bench("~/suite.toml").rows == ganzoo.report(tmp_path / "out").rows
    with pytest.raises(ResultsError, match=r"generator-best\.safetensors is missing"):
        ganzoo.load(f"~/{place.relative_to(tmp_path)}")


def test_a_folder_that_is_no_results_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="is not a results folder: it has no grid"):
        summarise([tmp_path])


# Texts --------------------------------------------------------------------------------------------------------------


def test_the_cells_of_a_row(tmp_path: Path) -> None:
    (only,) = table(tmp_path, 10.0, 14.0).tables
    row, floor, untrained = cells(only)
    assert row == [
        "mlp + bce", "12.00 ± 2.83", "12.00 ± 2.83", "1.20 ± 0.28", "1.20 ± 0.28", "2", "0/2", "64,000", "10.5",
        "3 MiB", "1.50M + 2.50k", "best at step 800, 800",
    ]  # fmt: skip
    assert floor[:5] == ["real images (floor)", "2.50", "2.50", "9.50", "9.50"]
    assert untrained[:3] == ["untrained generator (best)", "112.00", "112.00"]


@pytest.mark.parametrize(("metrics", "best"), [("fid,is", "104.00"), ("is,fid", "2.00")])
def test_the_untrained_generator_is_the_best_one_by_the_first_metric(metrics, best, tmp_path):
    one, two = grid = runs(loss=["bce", "hinge"], metrics=metrics)
    results = done(one, 10, untrained=at(0, 104.0, 1.0)), done(two, 11, untrained=at(0, 110.0, 2.0))
    (found,) = summarise([write(tmp_path, grid, *results)]).tables
    assert cells(found)[-1][:2] == ["untrained generator (best)", best]


def test_a_note_names_the_components_of_a_row_whose_name_does_not(tmp_path):
    one, plain = runs(loss=["bce", "hinge"])
    named = msgspec.structs.replace(one, combination="ours")
    summary = summarise([write(tmp_path, (named, plain), done(named, 1.0), done(plain, 2.0))])
    assert [note for note in notes(summary) if "mlp +" in note] == ["ours: mlp + bce."]


def test_the_notes_name_protocol_and_hardware(tmp_path: Path) -> None:
    text = "\n".join(notes(table(tmp_path, 10.0)))
    for part in ("599 generated images", "digits-cnn", PROTOCOL.fingerprint, "CPU, 1 thread(s) a run", "torch 2.0"):
        assert part in text
    assert "no result yet" not in text


def test_a_table_is_printed_where_not_every_character_can_be(tmp_path: Path, monkeypatch) -> None:
    (run,) = runs()
    write(tmp_path, (run,), ended_early(run, "failed", "∞ ± 1"))
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, "latin-1", errors="strict", write_through=True))
    monkeypatch.setattr("sys.argv", ["ganzoo", "report", str(tmp_path)])
    main()
    assert r"\u221e ± 1" in printed.getvalue().decode("latin-1")


def test_where_runs_were_carried_out_differently_the_notes_say_how_many(tmp_path: Path) -> None:
    """As where a grid is given further seeds in another precision: one row is the mean of both."""
    grid = runs(seeds=3)
    first = done(grid[0], 10)
    other = {"environment": first.environment | {"precision": "bfloat16"}}
    summary = summarise([write(tmp_path, grid, first, done(grid[1], 11), done(grid[2], 12, **other))])
    hardware = [note for note in notes(summary) if note.startswith("Hardware")]
    assert [(line.split(", ")[2], line.rpartition("; ")[2]) for line in hardware] == [
        ("bfloat16", "1 of 3 runs."), ("float32", "2 of 3 runs."),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["device", "threads", "mode", "precision", "torch", "python", "system"])
def test_what_a_result_does_not_say_of_its_machine_is_unknown(key: str, tmp_path: Path) -> None:
    (run,) = runs()
    known = dict(done(run, 10).environment)
    del known[key]
    (line,) = summarise([write(tmp_path, (run,), done(run, 10, environment=known))]).environments
    assert line.count("unknown") == 1


NASTY = r"Odd_Error: __init__() of _x_: 100% of a|b & c\d #1 <class 'x'> {y} ~z^2 $3, said `it`, and [more]"


@pytest.fixture
def nasty(tmp_path: Path) -> Summary:
    """Return a table in whose remarks every format finds characters of its own."""
    grid = runs(trick="label-smoothing:real=0.8", seeds=2)
    return summarise([write(tmp_path, grid, done(grid[0], 10), ended_early(grid[1], "failed", NASTY))])


def remarks(row: Row) -> str:
    return f"best at step 800; {row.failures[0]}"


def test_markdown_parses_back(nasty: Summary) -> None:
    lines = [line for line in to_markdown(nasty).splitlines() if line.startswith("|")]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    found = [[re.sub(r"\\(\W|_)", r"\1", cell.strip()) for cell in row] for row in rows]
    (only,) = nasty.tables
    assert [found[0], *found[2:]] == [header(only), *cells(only)]
    assert set("".join(found[1])) == set("-:")
    assert NASTY in found[2][-1]
    assert r"Odd_Error: \_\_init\_\_() of \_x\_: 100%" in lines[2]


def test_csv_parses_back(nasty: Summary) -> None:
    (line,) = csv.DictReader(to_csv(nasty).splitlines())
    assert line["combination"] == "mlp + bce + label-smoothing:real=0.8"
    assert (float(line["FD-digits-cnn last"]), line["FD-digits-cnn last sd"], line["n"]) == (10.0, "", "1")
    assert (line["failures"], line["failure_rate"]) == (f"seed 1 failed: {NASTY}", "0.5")
    assert (float(line["floor FD-digits-cnn"]), line["protocol"]) == (2.5, PROTOCOL.fingerprint)


def test_csv_gives_sds_a_column_of_their_own(tmp_path: Path) -> None:
    (line,) = csv.DictReader(to_csv(table(tmp_path, 10.0, 14.0)).splitlines())
    assert float(line["FD-digits-cnn last sd"]) == pytest.approx(math.sqrt(8))
    assert float(line["device_seconds sd"]) == pytest.approx(math.sqrt(0.5))


def test_json_holds_everything(nasty: Summary) -> None:
    value = json.loads(to_json(nasty))
    (only,) = value["tables"]
    (row,) = only["rows"]
    assert (only["dataset"], only["metrics"]) == ("digits", ["fid", "is"])
    assert [column["title"] for column in only["columns"]] == ["FD-digits-cnn", "CS-digits-cnn"]
    assert msgspec.convert({k: v for k, v in only["protocol"].items() if k != "fingerprint"}, Protocol) == PROTOCOL
    assert only["floor"] == FLOOR
    assert row["last"]["fid"] == {"mean": 10.0, "sd": None, "values": [10.0]}
    assert (row["failures"], row["failure_rate"]) == ([f"seed 1 failed: {NASTY}"], 0.5)
    assert value["pending"] == 0


def test_latex_escapes_what_latex_would_take_for_its_own(nasty: Summary) -> None:
    lines = to_latex(nasty).splitlines()
    body = [line for line in lines if line.endswith(r"\\")]
    (only,) = nasty.tables
    assert [len(re.split(r"(?<!\\)&", line)) for line in body] == [len(header(only))] * (1 + len(cells(only)))
    for written in (
        r"Odd\_Error: \_\_init\_\_() of \_x\_: 100\% of a\textbar{}b \& c\textbackslash{}d \#1",
        r"\textless{}class 'x'\textgreater{}",
        r"\{y\} \textasciitilde{}z\textasciicircum{}2 \$3",
    ):
        assert written in body[1]
    assert all(line.startswith(("%", "\\", "combination", "mlp", "real", "untrained")) for line in lines)


@pytest.mark.parametrize("name", ["[ours]", "*ours"])
def test_no_latex_row_is_taken_for_an_argument_of_the_one_before(tmp_path: Path, name: str) -> None:
    grid = tuple(msgspec.structs.replace(run, combination=f"{name} {run.loss.name}") for run in runs(loss="bce,hinge"))
    text = to_latex(summarise([write(tmp_path, grid, done(grid[0], 10), done(grid[1], 11))]))
    assert not re.search(r"\\\\\s*[\[*]", text)
    assert "hinge" in text


def test_every_format_can_be_had_before_a_run_has_ended(tmp_path: Path) -> None:
    summary = summarise([write(tmp_path, runs())])
    assert json.loads(to_json(summary))["tables"] == []
    assert notes(summary) == ["1 run has no result yet; run the same command again to finish."]
    assert "1 run has no result yet" in to_markdown(summary)
    assert "1 run has no result yet" in to_latex(summary)
    assert list(csv.reader(to_csv(summary).splitlines())) in ([], [[]])


def test_a_protocol_is_the_same_wherever_its_data_lies():
    here = PROTOCOL
    there = msgspec.structs.replace(here, dataset="folder:path=/elsewhere")
    assert there.fingerprint == here.fingerprint
    assert msgspec.structs.replace(here, data_sha256="0" * 64).fingerprint != here.fingerprint


def test_runs_on_the_same_data_share_a_table_wherever_it_lay(tmp_path):
    """As those of two machines, and those from before the dataset had a parameter that it has now."""
    (run,) = runs()
    other = msgspec.structs.replace(run, dataset=msgspec.structs.replace(run.dataset, params={"path": "/elsewhere"}))
    there = msgspec.structs.replace(PROTOCOL, dataset="folder:path=/elsewhere")
    folders = [
        write(tmp_path / "a", (run,), done(run, 20)),
        write(tmp_path / "b", (other,), done(other, 10, protocol=there)),
    ]
    for split in (False, True):
        (table,) = summarise(folders, split).tables
        assert [row.last["fid"].mean for row in table.rows] == [10, 20]


# Metrics and significance -------------------------------------------------------------------------------------------


def test_a_table_has_the_columns_of_its_metrics_and_is_ranked_by_the_first(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge"], metrics="kid,prdc")
    scores = [{"fid": 1.0, "kid": 0.02, "precision": 0.9, "recall": 0.1, "density": 1.1, "coverage": 0.5}]
    scores.append(scores[0] | {"fid": 2.0, "kid": -0.00001})
    results = [scored(run, score) for run, score in zip(grid, scores, strict=True)]
    (only,) = summarise([write(tmp_path, grid, *results)]).tables
    assert [row.combination for row in only.rows] == ["mlp + hinge", "mlp + bce"]
    names = ["KD-digits-cnn", "precision", "recall", "density", "coverage"]
    assert header(only)[1:11] == [f"{name} {which}" for name in names for which in ("last", "best")]
    assert [row[1] for row in cells(only)[:2]] == ["-0.00001", "0.02000"]
    assert cells(only)[0][3:10:2] == ["0.900", "0.100", "1.100", "0.500"]


def test_modes_are_better_the_more_there_are_and_stand_beside_what_uniform_draws_find(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge"], metrics="modes")
    protocol = msgspec.structs.replace(PROTOCOL, samples=26_000, classes=1000)
    results = [
        scored(run, {"fid": 1.0, "modes": found, "kl": 3.0}, protocol=protocol)
        for run, found in zip(grid, (99.0, 880.0), strict=True)
    ]
    (only,) = summarise([write(tmp_path, grid, *results)]).tables
    assert header(only)[1] == "modes of 1,000 last"
    assert [row.combination for row in only.rows] == ["mlp + hinge", "mlp + bce"]
    uniform = next(row for row in cells(only) if row[0] == "uniform draws (expected)")
    assert float(uniform[1]) == 1000.0
    assert float(uniform[3]) == pytest.approx(999 / 52_000, abs=0.0005)


def test_a_row_that_differs_from_the_first_is_marked(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge", "wgan-gp"], seeds=3)
    distances = {"mlp + bce": (1.0, 1.1, 1.2), "mlp + hinge": (9.0, 9.1, 9.2), "mlp + wgan-gp": (1.1, 1.2, 1.3)}
    summary = summarise([write(tmp_path, grid, *(done(run, distances[run.combination][run.seed]) for run in grid))])
    (only,) = summary.tables
    place = header(only).index("p")
    assert [row[place] for row in cells(only)[:3]] == ["-", "0.288", "0.000*"]
    assert any("Welch" in note and "Holm" in note and "FD-digits-cnn" in note for note in notes(summary))
    assert "p" not in header(table(tmp_path / "single", 10.0).tables[0])


def test_split_shows_a_table_of_each_protocol_and_says_what_differs(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge", "wgan-gp"])
    fewer = msgspec.structs.replace(PROTOCOL, samples=50)
    results = (done(grid[0], 10), done(grid[1], 5, protocol=fewer), ended_early(grid[2], "failed", "ValueError: no"))
    write(tmp_path, grid, *results)
    summary = summarise([tmp_path], split=True)
    assert [[row.combination for row in one.rows] for one in summary.tables] == [
        ["mlp + bce", "mlp + wgan-gp"], ["mlp + hinge"],
    ]  # fmt: skip
    titles = re.findall(r"^\*\*(.*)\*\*$", to_markdown(summary), re.MULTILINE)
    assert titles == [f"digits, protocol {one.fingerprint}" for one in (PROTOCOL, fewer)]
    assert any("protocols differ in samples (599 / 50)" in note for note in notes(summary))


@pytest.mark.parametrize("field", [name for name in Protocol.__struct_fields__ if name != "dataset"])
def test_whatever_a_score_depends_on_is_in_the_fingerprint(field: str) -> None:
    value = getattr(PROTOCOL, field)
    other = msgspec.structs.replace(PROTOCOL, **{field: value + 1 if isinstance(value, int) else f"another {value}"})
    assert other.fingerprint != PROTOCOL.fingerprint
    assert [difference.partition(" ")[0] for difference in PROTOCOL.differences(other)] == [field]


def test_few_images_for_the_dimension_are_warned_of(tmp_path: Path) -> None:
    assert PROTOCOL.warning == ""
    assert [msgspec.structs.replace(PROTOCOL, samples=count).warning == "" for count in (319, 320)] == [False, True]
    assert [msgspec.structs.replace(PROTOCOL, reference_count=n).warning == "" for n in (319, 320)] == [False, True]
    (run,) = grid = runs()
    few = summarise([write(tmp_path, grid, done(run, 10, protocol=msgspec.structs.replace(PROTOCOL, samples=319)))])
    assert [note for note in notes(few) if note.startswith("Warning: 319 images are fewer than 10 for each of 32")]
    assert "2,048 feature dimensions" in msgspec.structs.replace(PROTOCOL, dimension=2048).warning
    assert "50 images" in msgspec.structs.replace(PROTOCOL, samples=50).warning


def test_the_two_protocols_of_inception_never_share_a_name() -> None:
    ours = msgspec.structs.replace(PROTOCOL, extractor="inception", extractor_sha256=INCEPTION_2015_SHA256)
    theirs = msgspec.structs.replace(ours, extractor="inception:protocol=tf-compat", resize="another")
    (fid,) = METRICS["fid"].columns
    assert (ours.title(fid), theirs.title(fid)) == ("FID", "FID (protocol=tf-compat)")
    plugin = msgspec.structs.replace(ours, extractor="clean-inception", resize="antialiased")
    assert plugin.title(fid) == "FID (clean-inception)"
    namesake = msgspec.structs.replace(ours, extractor_code="ganzoo-eyes 1.0 (sha256 12345678)")
    assert namesake.title(fid) == "FID (inception)"
    assert ours.fingerprint != theirs.fingerprint


def test_scores_of_two_versions_of_a_plugins_feature_network_are_not_ranked_together() -> None:
    """Which may have the same weights; what is done with them is in its code."""
    first, second = (
        msgspec.structs.replace(PROTOCOL, extractor_code=f"ganzoo-eyes 1.0 (sha256 {content})")
        for content in ("12345678", "87654321")
    )
    assert len({PROTOCOL.fingerprint, first.fingerprint, second.fingerprint}) == 3
    assert "(sha256 eeeeeeee; none; code of ganzoo-eyes 1.0 (sha256 12345678))" in first.describe(("fid",))
    assert first.differences(second) == [
        "extractor_code (ganzoo-eyes 1.0 (sha256 12345678) / ganzoo-eyes 1.0 (sha256 87654321))"
    ]


def test_the_fingerprints_of_tables_that_were_published_stay() -> None:
    assert PROTOCOL.fingerprint == "40378cc4"


def test_precisions_are_compared_as_far_as_their_grids_came(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks" / "precision"))
    import compare

    seeds = runs(seeds=2)
    folders = {name: tmp_path / name for name in ("fp32", "tf32", "bf16")}
    for (name, folder), finished in zip(folders.items(), (0, 2, 2), strict=True):
        with open_grid(folder, seeds, {}):
            for run in seeds:
                run_folder(folder, run).mkdir(parents=True)
                write_json(run_folder(folder, run) / "config.json", run)
            for run in seeds[:finished]:
                environment = {"precision": name}
                write_json(run_folder(folder, run) / "result.json", done(run, 10 + run.seed, environment=environment))
    monkeypatch.setattr("sys.argv", ["compare.py", *map(str, folders.values())])
    compare.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split(" | ")[1:4] for row in rows] == [[name, "10.50 ± 0.71", "2"] for name in ("tf32", "bf16")]
