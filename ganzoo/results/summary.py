"""From the runs of a grid to the rows of tables. No torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ganzoo.errors import ResultsError
from ganzoo.evaluate.protocol import Protocol, Score
from ganzoo.planning.run import Run
from ganzoo.results.store import Checkpoint, Grid, Result, read_json, read_runs


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over training seeds."""

    mean: float
    sd: float | None
    """None for a single seed."""
    n: int

    def __str__(self) -> str:
        """Return `12.34 ± 0.56`."""
        return f"{self.mean:.2f} ± {self.sd:.2f}" if self.sd is not None else f"{self.mean:.2f}"


def spread(values: Iterable[float]) -> Spread | None:
    """Return mean and sd (divided by n - 1) of the values; None of none."""
    found = list(values)
    if not found:
        return None
    return Spread(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None, len(found))


@dataclass(frozen=True)
class Row:
    """One combination over its seeds."""

    combination: str
    folder: Path
    runs: int
    done: int
    failures: tuple[str, ...]
    """Why runs ended early, e.g. `seed 1 diverged at step 300: ...`."""
    last_distance: Spread | None
    best_distance: Spread | None
    last_score: Spread | None
    best_score: Spread | None
    untrained_distance: Spread | None
    best_steps: tuple[int, ...]
    images_seen: int
    device_seconds: Spread | None
    peak_memory_bytes: int
    parameters: dict[str, int]

    @property
    def failure_rate(self) -> float:
        """Failed or diverged runs of those that ended."""
        return len(self.failures) / self.runs if self.runs else 0.0


@dataclass(frozen=True)
class Table:
    """The combinations that were trained on one dataset, scored under one protocol: the best mean distance first."""

    dataset: str
    rows: tuple[Row, ...]
    floor: Score | None
    protocol: Protocol | None
    """None where no run was scored."""


@dataclass(frozen=True)
class Summary:
    """What one or several results folders hold: a table a dataset, since scores on different data have no order."""

    tables: tuple[Table, ...]
    environments: tuple[str, ...]
    pending: int
    """Runs without a result."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all tables."""
        return tuple(row for table in self.tables for row in table.rows)


class _Ended(NamedTuple):
    """A run that has a result."""

    folder: Path
    run: Run
    result: Result


def summarise(folders: Sequence[Path]) -> Summary:
    """Read results folders; a run that several of them hold counts once.

    Raises:
        ResultsError: a folder that ganzoo did not write, or runs on one dataset that were scored under different
            protocols.
    """
    planned: set[str] = set()
    ended: dict[str, _Ended] = {}
    for folder in folders:
        planned.update(_grid(folder).runs)
        for place, run, result in read_runs(folder):
            if result is not None and (run.id not in ended or ended[run.id].result.status == "failed"):
                ended[run.id] = _Ended(place, run, result)
    environments = {_environment(one.result) for one in ended.values() if one.result.environment}
    return Summary(
        tables=tuple(map(_table, _grouped(ended.values(), lambda one: _dataset(one.run)))),
        environments=tuple(sorted(environments)),
        pending=len(planned - set(ended)),
    )


def _grid(folder: Path) -> Grid:
    if not (folder / "grid.json").exists():
        raise ResultsError(f"{folder} is not a results folder: it has no grid.json; give the folder of --out")
    return read_json(folder / "grid.json", Grid)


def _grouped(runs: Iterable[_Ended], key: Callable[[_Ended], str]) -> list[list[_Ended]]:
    """Return the runs that share a key, in the order in which the keys first come."""
    groups: dict[str, list[_Ended]] = {}
    for one in runs:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _dataset(run: Run) -> str:
    """Return what tells datasets apart: the protocol's hash of their content says whether versions differ."""
    return repr((run.dataset.distribution, run.dataset.name, sorted(run.dataset.params.items())))


def _table(runs: Sequence[_Ended]) -> Table:
    results = [one.result for one in runs]
    protocol = _one_protocol(results)
    rows = [_row(group) for group in _grouped(runs, lambda one: one.run.combination_id)]
    return Table(
        dataset=protocol.dataset if protocol else runs[0].run.dataset.name,
        rows=tuple(sorted(rows, key=lambda row: row.last_distance.mean if row.last_distance else math.inf)),
        floor=next((result.floor for result in results if result.floor), None),
        protocol=protocol,
    )


def _one_protocol(results: Sequence[Result]) -> Protocol | None:
    protocols = {result.protocol.fingerprint: result.protocol for result in results if result.protocol}
    if len(protocols) > 1:
        first, second, *_ = protocols.values()
        raise ResultsError(
            f"these runs were scored under different protocols and cannot be ranked together; they differ in: "
            f"{'; '.join(first.differences(second))}. Report their folders one by one; where they are one folder, the "
            "data has changed: run the grid again with another --out"
        )
    return next(iter(protocols.values()), None)


def _row(runs: Sequence[_Ended]) -> Row:
    results = [one.result for one in runs]
    done = [result for result in results if result.status == "done"]

    def over(pick: Callable[[Result], Checkpoint | None], score: Callable[[Score], float]) -> Spread | None:
        return spread(score(found.score) for result in done if (found := pick(result)) is not None)

    return Row(
        combination=results[0].combination,
        folder=runs[0].folder.parent,
        runs=len(results),
        done=len(done),
        failures=tuple(f"seed {result.seed} {result.outcome}" for result in results if result.status != "done"),
        last_distance=over(lambda result: result.last, lambda score: score.distance),
        best_distance=over(lambda result: result.best, lambda score: score.distance),
        last_score=over(lambda result: result.last, lambda score: score.classifier),
        best_score=over(lambda result: result.best, lambda score: score.classifier),
        untrained_distance=over(lambda result: result.untrained, lambda score: score.distance),
        best_steps=tuple(result.best.step for result in done if result.best),
        images_seen=max((result.images_seen for result in results), default=0),
        device_seconds=spread(result.device_seconds for result in done),
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        parameters=max((result.parameters for result in results), key=len),
    )


def _environment(result: Result) -> str:
    found = result.environment
    threads = "" if found["device"].startswith("NVIDIA") else f", {found['threads']} thread(s) a run"
    return (
        f"{found['device']}{threads}, {found['precision']}, {found['mode']}; torch {found['torch']}, "
        f"Python {found['python']}, {found['system']}"
    )
