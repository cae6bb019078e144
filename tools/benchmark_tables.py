"""Read the tables in benchmarks/ that `ganzoo report` wrote: whose rows they are, and under which protocol."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"^(.+?): (\S+ \+ .+)\.$", re.MULTILINE)
"""Below a table: what a row with a name of its own combines."""
PROTOCOL = re.compile(
    r"^Protocol: .* against the \w+ split of (\S+) \(.* features of (\S+) \(.* fingerprint (\w+)\.$", re.MULTILINE
)


class Row(NamedTuple):
    """A combination's row in a table."""

    components: frozenset[str]
    """Architecture, loss and tricks, and the dataset and the feature network of the table's protocol."""
    combination: str
    place: int
    """From 1, which is the best."""
    score: str
    """The table's first column and what stands in it."""
    seeds: str


class Table(NamedTuple):
    """A table, the best row first."""

    file: Path
    rows: tuple[Row, ...]
    fingerprint: str
    """Of its protocol."""

    @property
    def title(self) -> str:
        """Return its folder, with its own name where it has one."""
        return self.file.parent.name + (f", {self.file.stem}" if self.file.stem != "table" else "")


def tables() -> list[Table]:
    """Return every table of a benchmark."""
    files = sorted((ROOT / "benchmarks").glob("*/*.md"))
    return [read(file) for file in files if file.read_text(encoding="utf-8").startswith("| combination |")]


def read(file: Path) -> Table:
    """Return one table; a ValueError says that `ganzoo report` did not write it."""
    text = file.read_text(encoding="utf-8")
    protocol = PROTOCOL.search(text)
    if protocol is None:
        raise ValueError(f"{file} names no protocol: write it with ganzoo report RUNS --format md")
    dataset, extractor, fingerprint = protocol.groups()
    shared = frozenset(map(_name, (dataset, extractor)))
    return Table(file, tuple(_rows(text, shared)), fingerprint)


def _rows(text: str, shared: frozenset[str]) -> Iterator[Row]:
    named = dict(NAMED.findall(text))
    head, _, *body = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in _lines(text))
    combined = [(cells, named.get(cells[0], cells[0]).rpartition(": ")[2].split(" + ")) for cells in body]
    ranked = [(cells, parts) for cells, parts in combined if len(parts) > 1]  # the others are of real images and such
    for place, (cells, parts) in enumerate(ranked, 1):
        components = frozenset(map(_name, parts)) | shared
        yield Row(components, cells[0], place, f"{head[1]} {cells[1]}", cells[head.index("n")])


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def _name(component: str) -> str:
    """Return the name in `name:key=value`."""
    return component.partition(":")[0]
