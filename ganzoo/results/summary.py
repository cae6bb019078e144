"""From the runs of a grid to the rows of a table. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import ResultsError
from ganzoo.evaluate.protocol import Protocol, Score
from ganzoo.planning.run import Run
from ganzoo.results.store import Checkpoint, Result, read_runs


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
class Summary:
    """The table of one or several results folders: the best mean distance first."""

    rows: tuple[Row, ...]
    floor: Score | None
    protocol: Protocol | None
    environments: tuple[str, ...]
    pending: int
    """Runs without a result."""


def summarise(folders: Sequence[Path]) -> Summary:
    """Read results folders into one table.

    Raises:
        ResultsError: a folder that ganzoo did not write, or results that were scored under different protocols.
    """
    runs = [found for folder in folders for found in read_runs(_checked(folder))]
    results = [result for _, _, result in runs if result is not None]
    protocol = _one_protocol(results)
    groups: dict[str, list[tuple[Path, Run, Result]]] = {}
    for folder, run, result in runs:
        if result is not None:
            groups.setdefault(run.combination_id, []).append((folder, run, result))
    rows = [_row(group) for group in groups.values()]
    rows.sort(key=lambda row: row.last_distance.mean if row.last_distance else float("inf"))
    return Summary(
        rows=tuple(rows),
        floor=next((result.floor for result in results if result.floor), None),
        protocol=protocol,
        environments=tuple(sorted({_environment(result) for result in results if result.environment})),
        pending=sum(result is None for _, _, result in runs),
    )


def _checked(folder: Path) -> Path:
    if not (folder / "grid.json").exists():
        raise ResultsError(f"{folder} is not a results folder: it has no grid.json; give the folder of --out")
    return folder


def _one_protocol(results: Sequence[Result]) -> Protocol | None:
    protocols = {result.protocol.fingerprint: result.protocol for result in results if result.protocol}
    if len(protocols) > 1:
        first, second, *_ = protocols.values()
        raise ResultsError(
            f"these runs were scored under different protocols and cannot be ranked together; they differ in: "
            f"{'; '.join(first.differences(second))}. Report their folders one by one"
        )
    return next(iter(protocols.values()), None)


def _row(group: Sequence[tuple[Path, Run, Result]]) -> Row:
    results = [result for _, _, result in group]
    done = [result for result in results if result.status == "done"]

    def over(pick: Callable[[Result], Checkpoint | None], score: Callable[[Score], float]) -> Spread | None:
        return spread(score(found.score) for result in done if (found := pick(result)) is not None)

    return Row(
        combination=results[0].combination,
        folder=group[0][0].parent,
        runs=len(results),
        done=len(done),
        failures=tuple(_failure(result) for result in results if result.status != "done"),
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


def _failure(result: Result) -> str:
    where = f"diverged at step {result.step}" if result.status == "diverged" else "failed"
    return f"seed {result.seed} {where}: {result.reason}"


def _environment(result: Result) -> str:
    found = result.environment
    threads = "" if found["device"].startswith("NVIDIA") else f", {found['threads']} thread(s) a run"
    return (
        f"{found['device']}{threads}, {found['precision']}, {found['mode']}; torch {found['torch']}, "
        f"Python {found['python']}, {found['system']}"
    )
