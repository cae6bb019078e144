"""From the runs of a grid to the rows of tables. No torch."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ganzoo.errors import GanzooError, ResultsError
from ganzoo.evaluate.metrics import Column, Score, columns
from ganzoo.evaluate.protocol import Protocol
from ganzoo.params import format_value
from ganzoo.paths import exists
from ganzoo.planning.published import Published
from ganzoo.planning.run import Run
from ganzoo.results.rows import Row, Spreads, Summary, Table, spread
from ganzoo.results.significance import p_against_best
from ganzoo.results.store import Checkpoint, Grid, Result, read_json, read_runs


class _Ended(NamedTuple):
    """A run that has a result."""

    folder: Path
    run: Run
    result: Result


def summarise(folders: Sequence[Path], split: bool = False) -> Summary:
    """Read results folders; a run that several of them hold counts once.

    Args:
        folders: what `--out` named.
        split: make a table of every protocol instead of refusing several.

    Raises:
        ResultsError: a folder that ganzoo did not write, or runs on one dataset that were scored under different
            protocols.
    """
    planned: set[str] = set()
    published: dict[str, Published] = {}
    ended: dict[str, _Ended] = {}
    for folder in folders:
        grid = _grid(folder)
        planned.update(grid.runs)
        published.update(grid.published)
        for place, run, result in read_runs(folder):
            if result is not None and (run.id not in ended or ended[run.id].result.status == "failed"):
                ended[run.id] = _Ended(place, run, result)
    groups = _by_dataset(list(ended.values()))
    if split:
        groups = [part for group in groups for part in _by_protocol(group)]
    return Summary(
        tables=tuple(_table(group, published) for group in groups),
        environments=_environments([one.result for one in ended.values() if one.result.environment]),
        pending=len(planned - set(ended)),
        plugins=tuple(sorted({plugin for one in ended.values() for plugin in one.result.plugins.items()})),
    )


def _grid(folder: Path) -> Grid:
    if not exists(folder / "grid.json"):
        raise ResultsError(f"{folder} is not a results folder: it has no grid.json; give the folder of --out")
    return read_json(folder / "grid.json", Grid)


def _grouped(runs: Iterable[_Ended], key: Callable[[_Ended], str]) -> list[list[_Ended]]:
    """Return the runs grouped by a key, in the order of the keys' first appearance."""
    groups: dict[str, list[_Ended]] = {}
    for one in runs:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _by_dataset(runs: Sequence[_Ended]) -> list[list[_Ended]]:
    """Return the runs grouped by dataset; if the first fingerprints of two agree, they are one."""
    first = {_dataset(one.run): one.result.protocol.fingerprint for one in reversed(runs) if one.result.protocol}
    return _grouped(runs, lambda one: first.get(_dataset(one.run), _dataset(one.run)))


def _dataset(run: Run) -> str:
    """Return how a dataset was asked for; only the hash in the protocol tells whether its content has changed."""
    return repr((run.dataset.distribution, run.dataset.name, sorted(run.dataset.params.items())))


def _by_protocol(runs: Sequence[_Ended]) -> list[list[_Ended]]:
    """Return the runs on one dataset grouped by protocol; a run without scores goes with its results folder."""
    of_folder = {
        one.folder.parents[1]: one.result.protocol.fingerprint for one in reversed(runs) if one.result.protocol
    }

    def fingerprint(one: _Ended) -> str:
        protocol = one.result.protocol
        return protocol.fingerprint if protocol else of_folder.get(one.folder.parents[1], "")

    return _grouped(runs, fingerprint)


def _table(runs: Sequence[_Ended], published: Mapping[str, Published]) -> Table:
    results = [one.result for one in runs]
    protocol = _one_protocol(results)
    metrics = tuple(dict.fromkeys(name for one in runs for name in one.run.evaluation.metrics))
    groups = _grouped(runs, lambda one: one.run.combination_id)
    unordered = [replace(_row(group), published=published.get(group[0].run.combination_id)) for group in groups]
    rows = _ranked(_told_apart(unordered, [group[0].run for group in groups]), columns(metrics)[0])
    return Table(
        dataset=protocol.dataset if protocol else runs[0].run.dataset.name,
        metrics=metrics,
        rows=tuple(rows),
        floor=_joined(result.floor for result in results),
        protocol=protocol,
    )


def _told_apart(rows: Sequence[Row], runs: Sequence[Run]) -> list[Row]:
    """Return the rows with distinct names: equal ones are followed by what differs in their recipes, or by the folder.

    Args:
        rows: as `_row` makes them.
        runs: a run of each row.
    """
    found: list[Row] = []
    for row, run in zip(rows, runs, strict=True):
        twins = [other.recipe for other in runs if other.combination == run.combination]
        differing = {key: value for key, value in run.recipe.items() if any(twin.get(key) != value for twin in twins)}
        what = ", ".join(f"{key}={format_value(value)}" for key, value in differing.items()) or str(row.folder)
        found.append(replace(row, combination=f"{row.combination} ({what})") if len(twins) > 1 else row)
    return found


def _joined(floors: Iterable[Score | None]) -> Score | None:
    """Return the floors of all metrics as one; runs of one protocol agree on the metrics that they share."""
    found: Score = {}
    for floor in floors:
        found |= floor or {}
    return found or None


def _ranked(rows: Sequence[Row], column: Column) -> list[Row]:
    """Return the rows sorted by a column, the best first, each with the p-value against the first."""
    sign = 1 if column.better == "lower" else -1
    ordered = sorted(rows, key=lambda row: sign * row.last[column.key].mean if column.key in row.last else math.inf)
    scored = [row for row in ordered if column.key in row.last]
    p_values = p_against_best([row.last[column.key].values for row in scored])
    return [replace(row, p=p) for row, p in zip(scored, p_values, strict=True)] + ordered[len(scored) :]


def _one_protocol(results: Sequence[Result]) -> Protocol | None:
    protocols = {result.protocol.fingerprint: result.protocol for result in results if result.protocol}
    if len(protocols) > 1:
        first, second, *_ = protocols.values()
        raise ResultsError(
            f"these runs were scored under different protocols and cannot be ranked together; they differ in: "
            f"{'; '.join(first.differences(second))}. ganzoo report --split shows a table of each; where they are one "
            "folder, the data has changed: run the grid again with another --out"
        )
    return next(iter(protocols.values()), None)


def _components(run: Run) -> str:
    """Return a run's components; only their names if one is not installed here."""
    try:
        return run.components
    except GanzooError:
        return " + ".join(part.name for part in (run.architecture, run.loss, *run.tricks))


def _row(runs: Sequence[_Ended]) -> Row:
    results = [one.result for one in runs]
    done = [result for result in results if result.status == "done"]

    def over(pick: Callable[[Result], Checkpoint | None]) -> Spreads:
        scores = [found.score for result in done if (found := pick(result)) is not None]
        keys = dict.fromkeys(key for score in scores for key in score)
        return {key: found for key in keys if (found := spread(score[key] for score in scores if key in score))}

    return Row(
        combination=runs[0].run.combination,
        components=_components(runs[0].run),
        folder=runs[0].folder.parent,
        runs=len(results),
        done=len(done),
        failures=tuple(f"seed {result.seed} {result.outcome}" for result in results if result.status != "done"),
        last=over(lambda result: result.last),
        best=over(lambda result: result.best),
        untrained=over(lambda result: result.untrained),
        best_steps=tuple(result.best.step for result in done if result.best),
        points=runs[0].run.points,
        images_seen=max(result.images_seen for result in results),
        device_seconds=spread(result.device_seconds for result in done),
        peak_memory_bytes=max(result.peak_memory_bytes for result in results),
        parameters=max((result.parameters for result in results), key=len),
    )


def _environments(results: Sequence[Result]) -> tuple[str, ...]:
    """Return a line for each environment that the runs trained in; of several, with the number of runs."""
    found = Counter(map(_environment, results))
    each = {name: f"; {count} of {len(results)} runs" for name, count in found.items() if len(found) > 1}
    return tuple(name + each.get(name, "") for name in sorted(found))


def _environment(result: Result) -> str:
    found = defaultdict(lambda: "unknown", result.environment)  # an older ganzoo may have recorded less
    threads = "" if found["device"].startswith("NVIDIA") else f", {found['threads']} thread(s) a run"
    return (
        f"{found['device']}{threads}, {found['precision']}, {found['mode']}; torch {found['torch']}, "
        f"Python {found['python']}, {found['system']}"
    )
