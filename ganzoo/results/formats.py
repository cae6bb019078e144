"""A summary in text formats that other programs read: Markdown, CSV, LaTeX and JSON. No torch."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import asdict

import msgspec

from ganzoo.results.rows import Row, Spread, Summary, Table
from ganzoo.results.tables import cells, header, notes, numbers, titles

MARKDOWN_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\|<*`[~"})
OUTER_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""One that no letter or digit stands on both sides of: `__init__` would be a bold `init`."""


def to_markdown(summary: Summary) -> str:
    """Return Markdown tables with their notes."""
    blocks: list[str] = []
    for title, table in zip(titles(summary), summary.tables, strict=True):
        blocks += [f"**{title}**"] if title else []
        lines = [header(table), ["---:" if i in numbers(table) else "---" for i in range(len(header(table)))]]
        lines += [list(map(_markdown, row)) for row in cells(table)]
        blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([*blocks, *notes(summary)]) + "\n"


def _markdown(cell: str) -> str:
    return OUTER_UNDERSCORE.sub(r"\_", cell.translate(MARKDOWN_SPECIAL))


def to_csv(summary: Summary) -> str:
    """Return one line per combination, with means and sds in separate columns, named as the table's scores."""
    stream = io.StringIO()
    records = [_record(row, table) for table in summary.tables for row in table.rows]
    names = dict.fromkeys(name for record in records for name in record)
    writer = csv.DictWriter(stream, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def _record(row: Row, table: Table) -> dict[str, object]:
    record: dict[str, object] = {
        "dataset": table.dataset, "combination": row.combination, "n": row.done, "failure_rate": row.failure_rate,
    }  # fmt: skip
    for column in table.columns:
        for which, found in (("last", row.last), ("best", row.best)):
            record |= _mean_and_sd(f"{table.title(column)} {which}", found.get(column.key))
    return record | _mean_and_sd("device_seconds", row.device_seconds) | {
        "p": "" if row.p is None else row.p,
        "images_seen": row.images_seen, "peak_memory_bytes": row.peak_memory_bytes,
        "generator_parameters": row.parameters.get("generator", 0),
        "discriminator_parameters": row.parameters.get("discriminator", 0),
        "failures": "; ".join(row.failures),
        **{f"floor {table.title(column)}": (table.floor or {}).get(column.key, "") for column in table.columns},
        "protocol": table.protocol.fingerprint if table.protocol else "",
    }  # fmt: skip


def _mean_and_sd(name: str, found: Spread | None) -> dict[str, object]:
    return {name: found.mean if found else "", f"{name} sd": found.sd if found and found.sd is not None else ""}


LATEX_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "∞": r"$\infty$",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",  # not in the encoding that LaTeX starts with
    "[": "{[}", "*": "{*}",  # at the start of a row they would be an argument of the \\ before it
}  # fmt: skip


def to_latex(summary: Summary) -> str:
    """Return tabulars in the style of booktabs, the protocol in a comment above them."""
    lines = [f"% {note}" for note in notes(summary)]
    for title, table in zip(titles(summary), summary.tables, strict=True):
        columns = "".join("r" if i in numbers(table) else "l" for i in range(len(header(table))))
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
        "plugins": [{"plugin": plugin, "sha256": sha256} for plugin, sha256 in summary.plugins],
        "pending": summary.pending,
    }
    return json.dumps(value, indent=2) + "\n"


def _tree(table: Table) -> dict[str, object]:
    protocol = table.protocol
    return {
        "dataset": table.dataset,
        "metrics": table.metrics,
        "columns": [{"key": one.key, "title": table.title(one), "better": one.better} for one in table.columns],
        "floor": table.floor,
        "protocol": {**msgspec.to_builtins(protocol), "fingerprint": protocol.fingerprint} if protocol else None,
        "rows": [{**asdict(row), "folder": str(row.folder), "failure_rate": row.failure_rate} for row in table.rows],
    }


FORMATS: dict[str, Callable[[Summary], str]] = {
    "md": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "json": to_json,
}
