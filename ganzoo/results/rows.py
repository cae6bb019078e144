"""What tables hold: combinations over their seeds, one table per dataset. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ganzoo.evaluate.metrics import Column, Score, columns
from ganzoo.evaluate.protocol import Protocol
from ganzoo.planning.published import Published


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over training seeds."""

    mean: float
    sd: float | None
    """Divided by n - 1; None for a single seed."""
    values: tuple[float, ...]
    """One per seed."""

    @property
    def n(self) -> int:
        """The number of seeds."""
        return len(self.values)

    def __str__(self) -> str:
        """Return `12.34 ± 0.56`."""
        return self.text()

    def text(self, digits: int = 2) -> str:
        """Return the same with more or fewer digits after the point."""
        return f"{self.mean:.{digits}f}" + (f" ± {self.sd:.{digits}f}" if self.sd is not None else "")


def spread(values: Iterable[float]) -> Spread | None:
    """Return mean and sd of the values; None of none."""
    found = tuple(values)
    if not found:
        return None
    return Spread(statistics.fmean(found), statistics.stdev(found) if len(found) > 1 else None, found)


Spreads = dict[str, Spread]
"""By the key of a column."""


@dataclass(frozen=True)
class Row:
    """One combination over its seeds."""

    combination: str
    """What it is called in tables."""
    components: str
    """Architecture, loss and tricks."""
    folder: Path
    """Where its runs are, each in `seed-N`."""
    runs: int
    """Number of runs that ended, one per seed."""
    done: int
    """Number of runs that trained to their end."""
    failures: tuple[str, ...]
    """Why runs ended early, e.g. `seed 1 diverged at step 300: ...`."""
    last: Spreads
    """Scores of the generator after the last step, by the key of a column: `row.last["fid"].mean`."""
    best: Spreads
    """Scores of the checkpoint that the first metric likes best, on a sample that did not choose it."""
    untrained: Spreads
    """Scores before the first step."""
    best_steps: tuple[int, ...]
    """The step of the best checkpoint, one per seed."""
    points: int
    """Number of checkpoints that a run chose the best from; among more of them the best one scores better."""
    images_seen: int
    """Real images that the discriminator of one run was trained on."""
    device_seconds: Spread | None
    """Time that a run's training took."""
    peak_memory_bytes: int
    """The most that any run held."""
    parameters: dict[str, int]
    """Trainable numbers of each player."""
    published: Published | None = None
    """What others printed of the same combination."""
    p: float | None = None
    """Of the first row against this one, by the table's first column; None for the first, and where n is 1."""

    @property
    def failure_rate(self) -> float:
        """Failed or diverged runs of those that ended."""
        return len(self.failures) / self.runs if self.runs else 0.0


@dataclass(frozen=True)
class Table:
    """The combinations that were trained on one dataset, scored under one protocol: the best mean first."""

    dataset: str
    """What the runs were trained on."""
    metrics: tuple[str, ...]
    """All that the runs were scored with; the first one's first column orders the rows."""
    rows: tuple[Row, ...]
    """The best first."""
    floor: Score | None
    """What held-out real images score."""
    protocol: Protocol | None
    """None where no run was scored."""

    @property
    def columns(self) -> list[Column]:
        """The columns of its scores."""
        return columns(self.metrics)

    def title(self, column: Column) -> str:
        """Return a column's name, which the protocol decides."""
        return self.protocol.title(column) if self.protocol else column.renamed or column.name


@dataclass(frozen=True)
class Summary:
    """What one or several results folders hold: one table per dataset, since their scores cannot be compared."""

    tables: tuple[Table, ...]
    """One per dataset."""
    environments: tuple[str, ...]
    """The machines and versions that the runs trained with, a line each, with how many runs where there are several."""
    pending: int
    """Runs without a result."""
    plugins: tuple[tuple[str, str], ...] = ()
    """Name and version, and sha256, of every distribution that took part."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all tables."""
        return tuple(row for table in self.tables for row in table.rows)
