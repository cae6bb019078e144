"""The terms of one player, kept on the device and read once in a while: no synchronisation in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Reading(NamedTuple):
    """What became of the steps since the reading before."""

    means: dict[str, float]
    """Of each term, over the steps that had it."""
    bad: int | None
    """How many of the player's steps ago the objective first was not finite, 1 for the last; None where all were."""


class Record:
    """A row for each step since the last reading: its terms, its objective, and a 1 that says that there was one.

    Steps with the same terms share a table, so that a step takes three launches however many terms it has.
    """

    def __init__(self, most_steps: int, device: torch.device) -> None:
        """Make room for `most_steps` steps between two readings."""
        self.most_steps = most_steps
        self.steps = torch.zeros(1, dtype=torch.int64, device=device)
        self.one = torch.ones(1, device=device)
        self.tables: dict[tuple[str, ...], Tensor] = {}
        """By the names of the terms: (most_steps, terms + 2)."""

    def add(self, names: tuple[str, ...], row: Tensor) -> None:
        """Add one step's row, in place."""
        if names not in self.tables:
            self.tables[names] = self.one.new_zeros(self.most_steps, len(names) + 2)
        self.tables[names].index_copy_(0, self.steps, row[None])
        self.steps += 1

    def read(self) -> Reading:
        """Return what was added since the last reading, and start afresh."""
        steps = int(self.steps)
        values: dict[str, list[float]] = {}
        bad: list[int] = []
        for names, table in self.tables.items():
            rows = table[:steps].cpu()
            there = rows[:, -1] == 1
            for name, column in zip(names, rows[there].T, strict=False):
                values.setdefault(name, []).extend(column.tolist())
            bad += (there & ~rows[:, -2].isfinite()).nonzero().flatten().tolist()
            table.zero_()
        self.steps.zero_()
        means = {name: sum(found) / len(found) for name, found in values.items() if found}
        return Reading(means, steps - min(bad) if bad else None)

    def state_dict(self) -> dict[str, Any]:
        """Return everything since the last reading."""
        return {"steps": self.steps, "tables": [[list(names), table] for names, table in self.tables.items()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.steps.copy_(state["steps"])
        self.tables = {tuple(names): table.to(self.one.device) for names, table in state["tables"]}
