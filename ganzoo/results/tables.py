"""A summary as text: cells for a terminal, Markdown, CSV, LaTeX, JSON. No torch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict

import msgspec

from ganzoo.results.summary import Row, Spread, Summary, Table

NUMBERS = range(1, 11)
"""The columns that hold numbers, to be aligned on the right."""


def titles(summary: Summary) -> list[str]:
    """Return what stands above each table: the dataset, where there are several."""
    several = len(summary.tables) > 1
    return [table.dataset if several else "" for table in summary.tables]


def header(table: Table) -> list[str]:
    """Return the column names; scores are named by the protocol."""
    distance, score = _score_names(table)
    return [
        "combination", f"{distance} last", f"{distance} best", f"{score} last", f"{score} best", "n", "failed",
        "images seen", "device s", "memory", "parameters G+D", "remarks",
    ]  # fmt: skip


def _score_names(table: Table) -> tuple[str, str]:
    protocol = table.protocol
    return (protocol.distance_name, protocol.score_name) if protocol else ("FD", "CS")


def cells(table: Table) -> list[list[str]]:
    """Return the rows: the combinations, then what real images and untrained generators score."""
    rows = [_cells(row) for row in table.rows]
    blank = [""] * (len(header(table)) - 5)
    if table.floor:
        distance, score = f"{table.floor.distance:.2f}", f"{table.floor.classifier:.2f}"
        rows.append(["real images (floor)", distance, distance, score, score, *blank])
    untrained = [row.untrained_distance for row in table.rows if row.untrained_distance]
    if untrained:
        lowest = f"{min(found.mean for found in untrained):.2f}"
        rows.append(["untrained generator (lowest)", lowest, lowest, "", "", *blank])
    return rows


def _cells(row: Row) -> list[str]:
    steps = ", ".join(f"{step:,}" for step in row.best_steps)
    return [
        row.combination, _text(row.last_distance), _text(row.best_distance), _text(row.last_score),
        _text(row.best_score), str(row.done), f"{len(row.failures)}/{row.runs}", f"{row.images_seen:,}",
        f"{row.device_seconds.mean:.1f}" if row.device_seconds else "-", f"{row.peak_memory_bytes / 2**20:,.0f} MiB",
        " + ".join(_short(row.parameters.get(player, 0)) for player in ("generator", "discriminator")),
        "; ".join(filter(None, [f"best at step {steps}" if steps else "", *row.failures])),
    ]  # fmt: skip


def _text(found: Spread | None) -> str:
    return "-" if found is None else str(found)


def _short(count: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.2f}{unit}"
    return str(count)


def notes(summary: Summary) -> list[str]:
    """Return what must be read with the numbers: spread, protocol, hardware, what is missing."""
    found = ["Mean ± sd over n training seeds; scores of the last and of the best checkpoint."]
    found += [f"Protocol: {table.protocol.describe()}." for table in summary.tables if table.protocol]
    found += [f"Hardware: {environment}." for environment in summary.environments]
    if summary.pending:
        runs = "1 run has" if summary.pending == 1 else f"{summary.pending} runs have"
        found.append(f"{runs} no result yet; run the same command again to finish.")
    return found


MARKDOWN_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\|<*`[~"})


def to_markdown(summary: Summary) -> str:
    """Return Markdown tables with their notes."""
    blocks: list[str] = []
    for title, table in zip(titles(summary), summary.tables, strict=True):
        blocks += [f"**{title}**"] if title else []
        lines = [header(table), ["---:" if i in NUMBERS else "---" for i in range(len(header(table)))]]
        lines += [[cell.translate(MARKDOWN_SPECIAL) for cell in row] for row in cells(table)]
        blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*blocks, *notes(summary)]) + "\n"


def to_csv(summary: Summary) -> str:
    """Return one line a combination, with means and sds in columns of their own, named as the table's scores."""
    stream = io.StringIO()
    records = [_record(row, table) for table in summary.tables for row in table.rows]
    columns = dict.fromkeys(name for record in records for name in record)
    writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def _record(row: Row, table: Table) -> dict[str, object]:
    distance, score = _score_names(table)
    record: dict[str, object] = {
        "dataset": table.dataset, "combination": row.combination, "n": row.done, "failure_rate": row.failure_rate,
    }  # fmt: skip
    for name, found in (
        (f"{distance} last", row.last_distance), (f"{distance} best", row.best_distance),
        (f"{score} last", row.last_score), (f"{score} best", row.best_score), ("device_seconds", row.device_seconds),
    ):  # fmt: skip
        record |= {name: found.mean if found else "", f"{name} sd": found.sd if found and found.sd is not None else ""}
    return record | {
        "images_seen": row.images_seen, "peak_memory_bytes": row.peak_memory_bytes,
        "generator_parameters": row.parameters.get("generator", 0),
        "discriminator_parameters": row.parameters.get("discriminator", 0),
        "failures": "; ".join(row.failures),
        "floor": table.floor.distance if table.floor else "",
        "protocol": table.protocol.fingerprint if table.protocol else "",
    }  # fmt: skip


LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip


def to_latex(summary: Summary) -> str:
    """Return tabulars in the style of booktabs, the protocol in a comment above them."""
    lines = [f"% {note}" for note in notes(summary)]
    for title, table in zip(titles(summary), summary.tables, strict=True):
        columns = "".join("r" if i in NUMBERS else "l" for i in range(len(header(table))))
        lines += [f"% {title}"] if title else []
        lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex(header(table)), r"\midrule"]
        lines += [*map(_latex, cells(table)), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex(row: list[str]) -> str:
    return " & ".join("".join(LATEX_SPECIAL.get(char, char) for char in cell) for cell in row) + r" \\"


def to_json(summary: Summary) -> str:
    """Return everything, for machines."""
    value = {
        "tables": [_tree(table) for table in summary.tables],
        "environments": summary.environments,
        "pending": summary.pending,
    }
    return json.dumps(value, indent=2) + "\n"


def _tree(table: Table) -> dict[str, object]:
    distance, score = _score_names(table)
    protocol = table.protocol
    return {
        "dataset": table.dataset,
        "distance": distance,
        "score": score,
        "floor": msgspec.to_builtins(table.floor),
        "protocol": {**msgspec.to_builtins(protocol), "fingerprint": protocol.fingerprint} if protocol else None,
        "rows": [{**asdict(row), "folder": str(row.folder), "failure_rate": row.failure_rate} for row in table.rows],
    }


FORMATS: dict[str, Callable[[Summary], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "json": to_json,
}
