"""Published scores in a table: how far ours are from them, and what forbids a comparison. No torch."""

from __future__ import annotations

from ganzoo.results.rows import Row, Table


def published_cell(row: Row, table: Table) -> str:
    """Return the published scores, with our difference where the protocols match: `FID 29.30 (+1.20)`."""
    told = row.published
    if told is None:
        return "-"
    ours = row.last if told.checkpoint == "last" else row.best
    comparable = table.protocol is not None and not told.differences(table.protocol)
    found: list[str] = []
    for column in table.columns:
        if column.key not in told.scores:
            continue
        theirs = told.scores[column.key]
        text = f"{table.title(column) if comparable else column.name} {theirs:.{column.digits}f}"
        near = comparable and column.key in ours
        found.append(text + (f" ({ours[column.key].mean - theirs:+.{column.digits}f})" if near else ""))
    return ", ".join(found) or "-"


def published_notes(table: Table) -> list[str]:
    """Say whose the published numbers are, and why they cannot be compared where they cannot."""
    found: list[str] = []
    for row in table.rows:
        if row.published is None:
            continue
        told = row.published
        steps = f", {told.steps:,} steps" if told.steps else ""
        lines = [f"Published, {row.combination}: {told.source} ({told.checkpoint} checkpoint{steps})"]
        lines += [told.remark] if told.remark else []
        differences = told.differences(table.protocol) if table.protocol else []
        lines += [f"not comparable: another {', '.join(differences)}"] if differences else []
        found.append(f"{'; '.join(lines)}.")
    return found
