"""Write docs/gallery.md: every component of this repository, as its spec describes it, with its row of a benchmark.

python tools/render_gallery.py           # write docs/gallery.md
python tools/render_gallery.py --check   # exit with 1 where docs/gallery.md is not what it would write
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ganzoo.api import Paper
from ganzoo.params import Parameter, format_value, parameters
from ganzoo.registry.lookup import PLURALS, Component, installed
from ganzoo.testing.source import in_folder

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "gallery.md"
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))
TABLES = sorted((ROOT / "benchmarks").glob("*/*.md"))
INTRODUCTION = """# Gallery

Every component of ganzoo and of the plugins in this repository, written by `tools/render_gallery.py` from their specs.
`ganzoo show NAME` tells more of each: recipe, what it provides, requires and excludes, and why. *Best row* is the
highest row of a table in [benchmarks](../benchmarks/README.md) that it takes part in, with its first column; rows of
different tables have no order.
"""


class Row(NamedTuple):
    """One row of a benchmark's table: who takes part, and the first score."""

    components: frozenset[str]
    combination: str
    score: str
    table: Path


def render() -> str:
    """Return the page."""
    for plugin in PLUGINS:
        in_folder(plugin)
    rows = [row for table in TABLES for row in read_rows(table)]
    ours = ("ganzoo-core", *(plugin.name for plugin in PLUGINS))
    lines = [INTRODUCTION]
    for plural, kind in PLURALS.items():
        lines += [f"## {plural.capitalize()}", ""]
        found = [one for one in installed().of(kind) if one.distribution in ours and one.state == "ok"]
        lines += [line for one in found for line in entry(one, rows)]
    return "\n".join(lines).rstrip() + "\n"


def entry(component: Component, rows: list[Row]) -> Iterator[str]:
    """Yield the lines of one component."""
    spec = component.usable_spec
    yield f"### {component.name}"
    yield ""
    yield f"{spec.summary[0].upper()}{spec.summary[1:]}."
    yield ""
    if spec.paper:
        yield f"- paper: {cited(spec.paper)}"
    if component.distribution != "ganzoo-core":
        yield f"- from: [{component.distribution}](../plugins/{component.distribution})"
    for parameter in parameters(spec.params).values():
        yield f"- {described(parameter)}"
    best = next((row for row in rows if component.name in row.components), None)
    if best:
        place = best.table.relative_to(ROOT).as_posix()
        yield f"- best row: {best.combination}: {best.score} ([{best.table.parent.name}](../{place}))"
    yield ""


def cited(paper: Paper) -> str:
    """Return a paper with a link, where its identifier tells the address."""
    kind, _, number = paper.id.partition(":")
    address = {"arXiv": f"https://arxiv.org/abs/{number}", "doi": f"https://doi.org/{number}"}.get(kind)
    where = f"[{paper.id}]({address})" if address else paper.id
    return f"{paper.title} ({paper.year}{f', {where}' if where else ''})"


def described(parameter: Parameter) -> str:
    """Return a parameter with its default, range and meaning."""
    default = "" if parameter.default is None else f"={format_value(parameter.default)}"
    what = " (needed)" if parameter.required else ""
    bounds = f"; {parameter.range.replace('|', 'or')}" if parameter.range else ""
    unit = f" ({parameter.unit})" if parameter.unit else ""
    return f"`{parameter.name}{default}`{what}: {parameter.help}{unit}{bounds}"


def read_rows(table: Path) -> Iterator[Row]:
    """Yield the rows of a table that `ganzoo report` wrote; nothing of other pages."""
    text = table.read_text(encoding="utf-8")
    named = dict(
        re.findall(r"^(.+?): (\S+ \+ .+)\.$", text, re.MULTILINE)
    )  # what a row with a name of its own combines
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| combination |"):
            head = cells
        elif head and line.startswith("| ") and not line.startswith("| ---"):
            combined = named.get(cells[0], cells[0])
            parts = combined.rpartition(": ")[2].split(" + ") if cells[0] not in named else combined.split(" + ")
            components = frozenset(part.partition(":")[0] for part in parts)
            if len(parts) > 1:
                yield Row(components, cells[0], f"{head[1]} {cells[1]}", table)


def main() -> int:
    """Write or check docs/gallery.md."""
    after = render()
    if "--check" in sys.argv[1:]:
        return int(not FILE.exists() or FILE.read_text(encoding="utf-8") != after)
    FILE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
