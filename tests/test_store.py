"""What a run leaves on disk survives crashes, and is never mixed with what belongs to something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

import ganzoo
from ganzoo.errors import ResultsError
from ganzoo.planning.run import Run
from ganzoo.results import store
from ganzoo.results.store import Grid, Result, finished, open_grid, read_json, read_runs, run_folder, write_json
from ganzoo.results.summary import summarise


def runs(**request: object) -> tuple[Run, ...]:
    return ganzoo.plan(**{"model": "mlp", "loss": "bce", **request}).runs


def begin(out: Path, run: Run) -> Path:
    """Leave what a run has written when it starts."""
    folder = run_folder(out, run)
    folder.mkdir(parents=True)
    write_json(folder / "config.json", run)
    return folder


def result(run: Run, status: str = "done") -> Result:
    return Result(run=run.id, combination=run.combination, seed=run.seed, status=status, step=1)  # type: ignore[arg-type]


# Files --------------------------------------------------------------------------------------------------------------


def test_a_run_comes_back_with_its_identity_and_parameters(tmp_path: Path) -> None:
    (run,) = runs(model="mlp:generator=64x32", trick="label-smoothing:real=0.8")
    write_json(tmp_path / "config.json", run)
    read = read_json(tmp_path / "config.json", Run)
    assert (read.id, read.combination, read.recipe) == (run.id, run.combination, run.recipe)
    assert [part.typed_params for part in read.parts] == [part.typed_params for part in run.parts]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "result.json"
    store.write_atomically(file, b"old")
    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write_atomically(file, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]
    assert file.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"runs": ["a"], "combinations": [7]}', r"\$\.combinations\[0\]"),
        (b'{"runs": ["a"]}', "combinations"),
        (b'{"runs": ["a"], "combi', "truncated"),
        (b"", "truncated"),
        (b'{"runs": ["\xff"], "combinations": []}', "utf-8"),
        (b'{"a":' * 100_000, "recursion"),
    ],
)
def test_a_damaged_file_is_named_with_its_field(content: bytes, named: str, tmp_path: Path) -> None:
    (tmp_path / "grid.json").write_bytes(content)
    with pytest.raises(ResultsError, match=rf"grid\.json is not what ganzoo writes: .*{named}"):
        read_json(tmp_path / "grid.json", Grid)


def test_a_missing_file_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=rf"grid\.json is missing; is {tmp_path} a folder"):
        read_json(tmp_path / "grid.json", Grid)


# Runs ---------------------------------------------------------------------------------------------------------------


def test_seeds_of_a_combination_lie_side_by_side_and_combinations_apart(tmp_path: Path) -> None:
    first, second, other = *runs(seeds=2), *runs(loss="hinge")
    assert run_folder(tmp_path, first).parent == run_folder(tmp_path, second).parent
    assert run_folder(tmp_path, first).parent != run_folder(tmp_path, other).parent
    assert run_folder(tmp_path, second).name == "seed-1"


def test_a_run_keeps_its_folder_and_result_under_a_new_name(tmp_path: Path) -> None:
    """A row of a suite is renamed, or the grid has a second dataset, which names begin with then."""
    (before,) = runs()
    with open_grid(tmp_path, (before,)):
        write_json(begin(tmp_path, before) / "result.json", result(before))
    after, other = runs(dataset=["digits", "mnist"])
    with open_grid(tmp_path, (after, other)):
        assert finished(run_folder(tmp_path, after)) is not None
        assert run_folder(tmp_path, after) == run_folder(tmp_path, before) != run_folder(tmp_path, other)
    (row,) = summarise([tmp_path]).rows
    assert (row.combination, row.done) == ("digits: mlp + bce", 1)


@pytest.mark.parametrize(("status", "again"), [("done", False), ("diverged", False), ("failed", True)])
def test_only_a_failed_run_is_tried_again(status: str, again: bool, tmp_path: Path) -> None:
    (run,) = runs()
    assert finished(tmp_path) is None
    write_json(tmp_path / "result.json", result(run, status))
    assert (finished(tmp_path) is None) == again


def test_runs_are_read_in_the_order_of_the_grid_with_their_results(tmp_path: Path) -> None:
    grid = runs(loss=["hinge", "bce"], seeds=2)
    with open_grid(tmp_path, grid):
        for run in grid[1:]:
            begin(tmp_path, run)
        write_json(run_folder(tmp_path, grid[2]) / "result.json", result(grid[2]))
    read = read_runs(tmp_path)
    assert [run.id for _, run, _ in read] == [run.id for run in grid[1:]]
    assert [found is not None for _, _, found in read] == [False, True, False]


@pytest.mark.parametrize("copy", ["seed-0-backup", "../a copy/seed-0", "../a-copy-{id}/seed-0"])
@pytest.mark.parametrize("failed", [False, True])
def test_a_copy_of_a_runs_folder_does_not_hide_its_result(copy: str, failed: bool, tmp_path: Path) -> None:
    (run,) = runs()
    with open_grid(tmp_path, (run,)):
        folder = begin(tmp_path, run)
        beside = (folder.parent / copy.format(id=run.combination_id)).resolve()
        beside.mkdir(parents=True)
        write_json(beside / "config.json", run)
        write_json(beside / "result.json", result(run, "failed")) if failed else None
        write_json(folder / "result.json", result(run))
        assert run_folder(tmp_path, run) == folder
    assert [(place, found is not None) for place, _, found in read_runs(tmp_path)] == [(folder, True)]


# Grids --------------------------------------------------------------------------------------------------------------


def test_a_folder_takes_its_own_grid_again_and_a_larger_one(tmp_path: Path) -> None:
    for seeds in (1, 1, 3):
        grid = runs(seeds=seeds)
        with open_grid(tmp_path / "out", grid):
            begin(tmp_path / "out", grid[-1]) if seeds == 3 else None
        assert read_json(tmp_path / "out" / "grid.json", Grid).runs == tuple(run.id for run in grid)


def test_another_grids_results_are_left_alone(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge"])
    with open_grid(tmp_path, grid):
        for run in grid:
            begin(tmp_path, run)
    written = (tmp_path / "grid.json").read_bytes()
    with pytest.raises(ResultsError, match=r"another grid \(mlp \+ bce, mlp \+ hinge; 1 of its 2 runs are not in this"):
        open_grid(tmp_path, runs(loss=["bce", "wgan-gp"])).__enter__()
    assert (tmp_path / "grid.json").read_bytes() == written


def test_a_grid_of_which_nothing_ran_gives_way(tmp_path: Path) -> None:
    """A command that was refused before it trained, e.g. for a broken image, can be mended and typed again."""
    with open_grid(tmp_path, runs()):
        pass
    grid = runs(loss="hinge")
    with open_grid(tmp_path, grid):
        assert read_json(tmp_path / "grid.json", Grid).combinations == ("mlp + hinge",)


def test_a_damaged_file_can_be_moved_away_and_the_grid_run_again_as_its_error_says(tmp_path: Path) -> None:
    grid = runs(loss=["bce", "hinge"])
    with open_grid(tmp_path, grid):
        for run in grid:
            write_json(begin(tmp_path, run) / "result.json", result(run))
    (tmp_path / "grid.json").unlink()
    with pytest.raises(ResultsError, match="another grid"):
        open_grid(tmp_path, grid[:1]).__enter__()
    for damaged in (tmp_path / "grid.json", run_folder(tmp_path, grid[1]) / "config.json"):
        damaged.unlink(missing_ok=True)
        with open_grid(tmp_path, grid):
            pass
        read = [(run.id, found is not None) for _, run, found in read_runs(tmp_path)]
        assert read == [(run.id, True) for run in grid]


@pytest.mark.parametrize("stray", ["config.json", "result.json"])
def test_a_result_counts_for_its_own_run_alone(stray: str, tmp_path: Path) -> None:
    """Whichever of the two files was copied from another run or changed by hand, the other can still be used."""
    one, two = runs(seeds=2)
    with open_grid(tmp_path, (one, two)):
        first, second = begin(tmp_path, one), begin(tmp_path, two)
        write_json(first / "result.json", result(one))
        write_json(second / "result.json", result(two))
    (second / stray).write_bytes((first / stray).read_bytes())
    with pytest.raises(ResultsError, match=r"seed-1/result\.json is the result of another run .*: move away what"):
        summarise([tmp_path])
    (second / stray).unlink()
    with open_grid(tmp_path, (one, two)):
        assert (finished(second) is None) == (stray == "result.json")
    assert [run.id for _, run, _ in read_runs(tmp_path)] == [one.id, two.id]


def test_a_folder_of_other_files_is_refused_and_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ResultsError, match="holds other files"):
        open_grid(tmp_path, runs()).__enter__()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_crash_or_a_file_browser_leaves_is_no_other_file(tmp_path: Path) -> None:
    for name in (".lock", ".grid.json.4711", ".DS_Store"):
        (tmp_path / name).touch()
    with open_grid(tmp_path, runs()):
        pass


def test_a_folder_is_held_by_one_process_and_the_second_changes_nothing(tmp_path: Path) -> None:
    with open_grid(tmp_path, runs()):
        written = (tmp_path / "grid.json").read_bytes()
        with pytest.raises(ResultsError, match="another ganzoo is working in"):
            open_grid(tmp_path, runs(seeds=2)).__enter__()
        assert (tmp_path / "grid.json").read_bytes() == written
    with FileLock(tmp_path / ".lock", timeout=0):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out, reason in ((tmp_path / "file", "File exists"), (tmp_path / "file" / "below", "Not a directory")):
        with pytest.raises(ResultsError, match=f"cannot write results to {out}: {reason}; choose another --out"):
            open_grid(out, runs()).__enter__()


def test_a_disk_that_fills_up_while_runs_are_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No space left on device"), open_grid(tmp_path, runs()):
        raise OSError(28, "No space left on device")


def test_a_reader_that_goes_away_is_not_the_folders_fault(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), open_grid(tmp_path, runs()):
        raise BrokenPipeError(32, "Broken pipe")
