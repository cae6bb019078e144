"""A summary as the cells of tables, and the notes below them. No torch."""

from __future__ import annotations

from ganzoo.evaluate.metrics import Column, Score
from ganzoo.registry.provenance import CORE
from ganzoo.results.published import published_cell, published_notes
from ganzoo.results.rows import Row, Spreads, Summary, Table
from ganzoo.results.significance import LEVEL
from ganzoo.results.store import THEN

RUN_COLUMNS = ("n", "failed", "images seen", "device s", "memory", "parameters G+D", "remarks")


def titles(summary: Summary) -> list[str]:
    """Return a title for each table: its dataset, and its protocol if several share that; a single table has none."""
    names = [table.dataset for table in summary.tables]
    if len(names) == 1:
        return [""]
    return [
        f"{table.dataset}, protocol {table.protocol.fingerprint}"
        if names.count(table.dataset) > 1 and table.protocol
        else table.dataset
        for table in summary.tables
    ]


def header(table: Table) -> list[str]:
    """Return the column names; scores are named by the protocol."""
    scores = [f"{table.title(column)} {which}" for column in table.columns for which in ("last", "best")]
    return [
        "combination",
        *scores,
        *(["published"] if _published(table) else []),
        *(["p"] if _tested(table) else []),
        *RUN_COLUMNS,
    ]


def numbers(table: Table) -> range:
    """Return the columns that hold numbers, to be aligned on the right."""
    return range(1, len(header(table)) - 1)


def _published(table: Table) -> bool:
    return any(row.published for row in table.rows)


def _tested(table: Table) -> bool:
    return any(row.p is not None for row in table.rows)


def cells(table: Table) -> list[list[str]]:
    """Return the rows: the combinations, then what real images, uniform modes and untrained generators score."""
    rows = [_cells(row, table) for row in table.rows]
    if table.floor:
        rows.append(_twice("real images (floor)", table.floor, table))
    if "modes" in table.metrics and table.protocol:
        rows.append(_twice("uniform draws (expected)", uniform(table.protocol.samples, table.protocol.classes), table))
    primary = table.columns[0]
    best = min if primary.better == "lower" else max
    untrained = [row.untrained[primary.key].mean for row in table.rows if primary.key in row.untrained]
    if untrained:
        rows.append(_twice("untrained generator (best)", {primary.key: best(untrained)}, table))
    return rows


def uniform(samples: int, classes: int) -> Score:
    """Return the modes and the divergence that samples drawn uniformly from all modes are expected to score."""
    from ganzoo.evaluate.mode_coverage import uniform_baseline  # noqa: PLC0415  (scipy.stats takes half a second)

    expected = uniform_baseline(samples, classes)
    return {"modes": float(expected.found), "kl": expected.kl}


def _twice(name: str, score: Score, table: Table) -> list[str]:
    """Return a row whose columns of the last and the best checkpoint say the same."""
    values = [f"{score[column.key]:.{column.digits}f}" if column.key in score else "" for column in table.columns]
    scores = [value for value in values for _ in ("last", "best")]
    return [name, *scores, *[""] * (len(header(table)) - len(scores) - 1)]


def _cells(row: Row, table: Table) -> list[str]:
    steps = ", ".join(f"{step:,}" for step in row.best_steps)
    return [
        row.combination,
        *(_text(found, column) for column in table.columns for found in (row.last, row.best)),
        *([published_cell(row, table)] if _published(table) else []),
        *([_p(row.p)] if _tested(table) else []),
        str(row.done), f"{len(row.failures)}/{row.runs}", f"{row.images_seen:,}",
        f"{row.device_seconds.mean:.1f}" if row.device_seconds else "-", f"{row.peak_memory_bytes / 2**20:,.0f} MiB",
        " + ".join(_short(row.parameters.get(player, 0)) for player in ("generator", "discriminator")),
        "; ".join(filter(None, [f"best{_among(row, table)} at step {steps}" if steps else "", *row.failures])),
    ]  # fmt: skip


def _among(row: Row, table: Table) -> str:
    """Return how many checkpoints the best one was chosen among, where that differs between rows."""
    return f" of {row.points}" if len({row.points for row in table.rows}) > 1 else ""


def _text(found: Spreads, column: Column) -> str:
    return found[column.key].text(column.digits) if column.key in found else "-"


def _p(p: float | None) -> str:
    """Return a p-value, with a star where it is small: the row differs from the first."""
    return "-" if p is None else f"{p:.3f}{'*' if p < LEVEL else ''}"


def _short(count: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.2f}{unit}"
    return str(count)


def notes(summary: Summary) -> list[str]:
    """Return what must be read with the numbers: spread, tests, protocol, hardware, what is missing."""
    found: list[str] = []
    if summary.tables:
        found.append("Mean ± sd over n training seeds; scores of the last and of the best checkpoint.")
    if any(row.failures and row.done for row in summary.rows):
        found.append("Failed runs are in no mean: a row that has any may look better than it is.")
    if any(map(_tested, summary.tables)):
        found.append(_test_note(summary.tables[0]))
    for table in summary.tables:
        if table.protocol:
            found.append(f"Protocol: {table.protocol.describe(table.metrics)}.")
            found += [f"Warning: {table.protocol.warning}."] if table.protocol.warning else []
        named = [row for row in table.rows if row.components not in row.combination]
        found += [f"{row.combination}: {row.components}." for row in named]
        found += published_notes(table)
    found += _split_notes(summary)
    found += [f"Hardware: {environment}." for environment in summary.environments]
    found += _plugin_notes(summary)
    if summary.pending:
        runs = "1 run has" if summary.pending == 1 else f"{summary.pending} runs have"
        found.append(f"{runs} no result yet; run the same command again to finish.")
    return found


def _test_note(table: Table) -> str:
    return (
        f"p: of each row against the first, by {table.title(table.columns[0])} of the last checkpoint; Welch's t-test "
        f"over seeds, Holm-corrected over all pairs of rows; * below {LEVEL}."
    )


def _split_notes(summary: Summary) -> list[str]:
    """Say why tables of one dataset stand apart."""
    first: dict[str, Table] = {}
    found: list[str] = []
    for table in summary.tables:
        before = first.setdefault(table.dataset, table)
        if before is not table and before.protocol and table.protocol:
            differences = "; ".join(before.protocol.differences(table.protocol))
            found.append(f"{table.dataset}: protocols differ in {differences}; their rows cannot be ranked together.")
    return found


def _plugin_notes(summary: Summary) -> list[str]:
    """Name whose code besides ganzoo's own took part, and warn where one version had several contents."""
    contents: dict[str, list[str]] = {}
    for name, hashes in summary.plugins:
        if not name.startswith(f"{CORE} "):
            contents.setdefault(name, []).extend(hashes.split(THEN))
    told = [f"{name} (sha256 {one[:8]})" for name, found in contents.items() for one in dict.fromkeys(found)]
    changed = [name for name, found in contents.items() if len(set(found)) > 1]
    return [
        *([f"Plugins: {', '.join(told)}."] if told else []),
        *(f"Warning: {name} changed between or within these runs, without another version." for name in changed),
    ]
