"""Write docs/gallery.md: every component of this repository, as its spec describes it, with its rows in the benchmarks.

python tools/render_gallery.py           # write docs/gallery.md
python tools/render_gallery.py --check   # exit with 1 where docs/gallery.md is not what it would write
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark_tables import Table, tables

from ganzoo.api import Paper
from ganzoo.params import Parameter, format_value, parameters
from ganzoo.registry.lookup import PLURALS, Component, installed
from ganzoo.testing.source import in_folder

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "gallery.md"
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))
SCORED = ("architecture", "loss", "trick", "dataset", "extractor")
"""The kinds that a table's rows and protocol name."""
INTRODUCTION = """# Gallery

Every component of ganzoo and of the plugins in this repository, written by `tools/render_gallery.py` from their specs.
`ganzoo show NAME` tells more of each: recipe, what it provides, requires and excludes, and why.

*Benchmark* names every table in [benchmarks](../benchmarks/README.md) that it takes part in: its highest row there,
what that scores in the table's first column, where it stands, over how many seeds, and the fingerprint of the
protocol. Scores of different fingerprints have no order, and a row is the whole combination's merit, not one part's.
"""


def render() -> str:
    """Return the page."""
    for plugin in PLUGINS:
        in_folder(plugin)
    benchmarks = tables()
    ours = ("ganzoo-core", *(plugin.name for plugin in PLUGINS))
    lines = [INTRODUCTION]
    for plural, kind in PLURALS.items():
        lines += [f"## {plural.capitalize()}", ""]
        found = [one for one in installed().of(kind) if one.distribution in ours and one.state == "ok"]
        lines += [line for one in found for line in entry(one, benchmarks)]
    return "\n".join(lines).rstrip() + "\n"


def entry(component: Component, benchmarks: Sequence[Table]) -> Iterator[str]:
    """Yield the lines of one component."""
    spec = component.usable_spec
    yield f"### {component.name}"
    yield ""
    yield f"{spec.summary[0].upper()}{spec.summary[1:]}."
    yield ""
    if spec.paper:
        yield f"- paper: {cited(spec.paper)}"
    if component.distribution != "ganzoo-core":
        yield f"- from: [{component.distribution}](../plugins/{component.distribution}/README.md)"
    for parameter in parameters(spec.params).values():
        yield f"- {described(parameter)}"
    lines = [line for table in benchmarks for line in benchmark(component.name, table)]
    if component.kind in SCORED:
        yield from lines or ["- benchmark: none yet"]
    yield ""


def benchmark(name: str, table: Table) -> Iterator[str]:
    """Yield a component's highest row of a table, where it has any."""
    row = next((row for row in table.rows if name in row.components), None)
    if row:
        where = f"[{table.title}](../{table.file.relative_to(ROOT).as_posix()})"
        stands = f"row {row.place} of {len(table.rows)}, n = {row.seeds}, protocol {table.fingerprint}"
        yield f"- benchmark {where}: {row.combination}: {row.score} ({stands})"


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


def main() -> int:
    """Write or check docs/gallery.md."""
    after = render()
    if "--check" in sys.argv[1:]:
        return int(not FILE.exists() or FILE.read_text(encoding="utf-8") != after)
    FILE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
