"""The terms of one player, summed on the device and read once in a while: no synchronisation in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ganzoo.api import Terms


class Reading(NamedTuple):
    """What became of the steps since the reading before."""

    means: dict[str, float]
    """Of each term, over the steps that had it."""
    bad: int | None
    """How many of the player's steps ago the objective first was not finite, 1 for the last; None where all were."""


class Record:
    """Sums of named terms since the last reading, and the objective of every single step; all of it tensors."""

    def __init__(self, most_steps: int, device: torch.device) -> None:
        """Make room for the objectives of `most_steps` steps between two readings."""
        self.objectives = torch.zeros(most_steps, device=device)
        self.steps = torch.zeros(1, dtype=torch.int64, device=device)
        self.sums: dict[str, Tensor] = {}
        """Of each term: the sum of its values, and how many there were."""

    def add(self, terms: Terms, objective: Tensor) -> None:
        """Add one step's detached values, in place."""
        self.objectives.index_copy_(0, self.steps, objective.to(self.objectives).view(1))
        self.steps += 1
        for name, term in terms.items():
            value = term.detach().to(self.objectives)
            counted = torch.stack([value, torch.ones_like(value)])
            if name in self.sums:
                self.sums[name] += counted
            else:
                self.sums[name] = counted

    def read(self) -> Reading:
        """Return what was added since the last reading, and start afresh."""
        done = torch.arange(len(self.objectives), device=self.objectives.device) < self.steps
        wrong = done & ~self.objectives.isfinite()
        ago = torch.where(wrong.any(), self.steps - wrong.int().argmax(), 0)
        first, *numbers = torch.cat([ago.double(), *(total.double() for total in self.sums.values())]).tolist()
        pairs = zip(self.sums, numbers[::2], numbers[1::2], strict=True)
        for tensor in (self.steps, *self.sums.values()):
            tensor.zero_()
        return Reading({name: total / count for name, total, count in pairs if count}, int(first) or None)

    def state_dict(self) -> dict[str, Any]:
        """Return everything since the last reading."""
        return {"objectives": self.objectives, "steps": self.steps, "sums": self.sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.objectives.copy_(state["objectives"])
        self.steps.copy_(state["steps"])
        self.sums = {name: total.to(self.objectives.device) for name, total in state["sums"].items()}
