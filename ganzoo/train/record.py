"""The terms of one player, summed on the device and read once in a while: no synchronisation in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.api import Terms


class Record:
    """Sums of named terms since the last reading, and the objective of every single step."""

    def __init__(self, most_steps: int, device: torch.device) -> None:
        """Make room for the objectives of `most_steps` steps between two readings."""
        self.objectives = torch.zeros(most_steps, device=device)
        self.steps = 0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, terms: Terms, objective: Tensor) -> None:
        """Add one step's detached values."""
        self.objectives[self.steps] = objective
        self.steps += 1
        for name, term in terms.items():
            value = term.detach()
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> tuple[dict[str, float], int | None]:
        """Return the mean of each term, and which of the steps was the first that was not finite; start afresh."""
        finite = self.objectives[: self.steps].isfinite()
        first_bad = torch.where(finite.all(), -1, (~finite).int().argmax())
        values = torch.stack([first_bad.float(), *(self.sums[name].float() for name in self.sums)]).tolist()
        means = {name: value / self.counts[name] for name, value in zip(self.sums, values[1:], strict=True)}
        self.steps, self.sums, self.counts = 0, {}, {}
        return means, None if values[0] < 0 else int(values[0])

    def state_dict(self) -> dict[str, Any]:
        """Return everything since the last reading."""
        return {"objectives": self.objectives, "steps": self.steps, "sums": self.sums, "counts": self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.objectives.copy_(state["objectives"])
        self.steps = state["steps"]
        self.sums = {name: value.to(self.objectives.device) for name, value in state["sums"].items()}
        self.counts = dict(state["counts"])
