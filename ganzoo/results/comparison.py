"""What `ganzoo score` found, as the cells of a table and as a tree for machines. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ganzoo.evaluate.metrics import Column, Score, columns
from ganzoo.evaluate.protocol import Protocol
from ganzoo.results.tables import uniform


@dataclass(frozen=True)
class Scored:
    """What one set of images scores."""

    label: str
    """As they were named."""
    count: int
    """How many they are."""
    score: Score
    """By the key of a column."""


@dataclass(frozen=True)
class Comparison:
    """Sets of images against the same real ones."""

    rows: tuple[Scored, ...]
    """In the order in which they were named."""
    floor: Scored | None
    """Held-out real images against the other ones; None where only their statistics are known."""
    protocol: Protocol
    """How the scores were obtained."""
    metrics: tuple[str, ...]
    """What was computed."""

    @property
    def columns(self) -> list[Column]:
        """The columns of its scores."""
        return columns(self.metrics)

    def header(self) -> list[str]:
        """Return the column names; scores are named by the protocol."""
        return ["images", *map(self.protocol.title, self.columns), "n"]

    def cells(self) -> list[list[str]]:
        """Return the rows: the images in the order given, then what real ones and uniform draws score."""
        rows = [self._cells(row) for row in (*self.rows, *([self.floor] if self.floor else []))]
        if "modes" in self.metrics:
            count = self.protocol.samples
            rows.append(
                self._cells(Scored("uniform draws (expected)", count, uniform(count, self.protocol.classes)), "")
            )
        return rows

    def _cells(self, row: Scored, missing: str = "-") -> list[str]:
        values = [_text(row.score, column) if column.key in row.score else missing for column in self.columns]
        return [row.label, *values, f"{row.count:,}"]

    def notes(self) -> list[str]:
        """Return what must be read with the numbers."""
        found = [f"Protocol: {self.protocol.describe(self.metrics)}."]
        if {"is", "kid"} & set(self.metrics):
            found.append("Mean ± sd of one set of images over the splits or subsets that the protocol names.")
        found += [f"Warning: {self.protocol.warning}."] if self.protocol.warning else []
        if len({row.count for row in self.rows}) > 1:
            found.append("Warning: the rows differ in their number of images, on which the Fréchet distance depends.")
        if self.floor and 4 * self.floor.count > self.protocol.reference_count:
            rest = self.protocol.reference_count - self.floor.count
            found.append(
                f"Warning: the floor is against {rest:,} of {self.protocol.reference_count:,} real images, so that its "
                "Fréchet distance is biased upward beside the rows'; for a fair one name other real images among FAKES."
            )
        return found

    def tree(self) -> dict[str, object]:
        """Return everything, for machines."""
        return {
            "scores": [{"images": row.label, "count": row.count, **row.score} for row in self.rows],
            "floor": {"count": self.floor.count, **self.floor.score} if self.floor else None,
            "titles": {column.key: self.protocol.title(column) for column in self.columns},
            "protocol": {**msgspec.to_builtins(self.protocol), "fingerprint": self.protocol.fingerprint},
        }


def _text(score: Score, column: Column) -> str:
    """Return a value, with its deviation over splits or subsets where it is a mean over several."""
    sd = score.get(f"{column.key}_sd")
    return f"{score[column.key]:.{column.digits}f}" + (f" ± {sd:.{column.digits}f}" if sd else "")
