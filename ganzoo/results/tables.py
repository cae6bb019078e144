"""A summary as a table: cells for a terminal, Markdown, CSV, LaTeX, JSON. No torch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict

import msgspec

from ganzoo.results.summary import Row, Spread, Summary

NUMBERS = range(1, 11)
"""The columns that hold numbers, to be aligned on the right."""


def header(summary: Summary) -> list[str]:
    """Return the column names; scores are named by the protocol."""
    protocol = summary.protocol
    distance, score = (protocol.distance_name, protocol.score_name) if protocol else ("FD", "CS")
    return [
        "combination", f"{distance} last", f"{distance} best", f"{score} last", f"{score} best", "n", "failed",
        "images seen", "device s", "memory", "parameters G + D", "remarks",
    ]  # fmt: skip


def cells(summary: Summary) -> list[list[str]]:
    """Return the rows: the combinations, then what real images and untrained generators score."""
    rows = [_cells(row) for row in summary.rows]
    blank = [""] * (len(header(summary)) - 5)
    if summary.floor:
        distance, score = f"{summary.floor.distance:.2f}", f"{summary.floor.classifier:.2f}"
        rows.append(["real images (floor)", distance, distance, score, score, *blank])
    untrained = [row.untrained_distance for row in summary.rows if row.untrained_distance]
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
    if summary.protocol:
        found.append(f"Protocol: {summary.protocol.describe()}.")
    found += [f"Hardware: {environment}." for environment in summary.environments]
    if summary.pending:
        found.append(f"{summary.pending} run(s) have no result yet; run the same command again to finish them.")
    return found


def to_markdown(summary: Summary) -> str:
    """Return a Markdown table with its notes."""
    lines = [header(summary), ["---:" if i in NUMBERS else "---" for i in range(len(header(summary)))]]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in cells(summary)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n" + "\n\n".join(notes(summary)) + "\n"


def to_csv(summary: Summary) -> str:
    """Return one line a combination, with means and sds in columns of their own."""
    stream = io.StringIO()
    records = [_record(row, summary) for row in summary.rows]
    if records:
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return stream.getvalue()


def _record(row: Row, summary: Summary) -> dict[str, object]:
    distance, score = header(summary)[1].removesuffix(" last"), header(summary)[3].removesuffix(" last")
    record: dict[str, object] = {"combination": row.combination, "n": row.done, "failure_rate": row.failure_rate}
    for name, found in (
        (f"{distance} last", row.last_distance), (f"{distance} best", row.best_distance),
        (f"{score} last", row.last_score), (f"{score} best", row.best_score), ("device_seconds", row.device_seconds),
    ):  # fmt: skip
        record |= {name: found.mean if found else "", f"{name} sd": found.sd if found and found.sd is not None else ""}
    record |= {
        "images_seen": row.images_seen, "peak_memory_bytes": row.peak_memory_bytes,
        "generator_parameters": row.parameters.get("generator", 0),
        "discriminator_parameters": row.parameters.get("discriminator", 0),
        "failures": "; ".join(row.failures),
        "floor": summary.floor.distance if summary.floor else "",
        "protocol": summary.protocol.fingerprint if summary.protocol else "",
    }  # fmt: skip
    return record


LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip


def to_latex(summary: Summary) -> str:
    """Return a tabular in the style of booktabs, the protocol in a comment above it."""
    columns = "".join("r" if i in NUMBERS else "l" for i in range(len(header(summary))))
    lines = [f"% {note}" for note in notes(summary)]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _latex(header(summary)), r"\midrule"]
    lines += [*map(_latex, cells(summary)), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex(row: list[str]) -> str:
    return " & ".join("".join(LATEX_SPECIAL.get(char, char) for char in cell) for cell in row) + r" \\"


def to_json(summary: Summary) -> str:
    """Return everything, for machines."""
    protocol = summary.protocol
    value = {
        "rows": [{**asdict(row), "folder": str(row.folder), "failure_rate": row.failure_rate} for row in summary.rows],
        "distance": protocol.distance_name if protocol else None,
        "score": protocol.score_name if protocol else None,
        "floor": msgspec.to_builtins(summary.floor),
        "protocol": {**msgspec.to_builtins(protocol), "fingerprint": protocol.fingerprint} if protocol else None,
        "environments": summary.environments,
        "pending": summary.pending,
    }
    return json.dumps(value, indent=2) + "\n"


FORMATS: dict[str, Callable[[Summary], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "json": to_json,
}
