"""One run: everything that determines it, as it is written to `config.json`."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from ganzoo.api import Kind
from ganzoo.params import build, label
from ganzoo.registry.lookup import Component, installed
from ganzoo.registry.renames import renamed


class Part(msgspec.Struct, frozen=True):
    """A component of a run with its parameters: enough to build it again, or to say that it has changed."""

    kind: Kind
    name: str
    distribution: str
    version: str
    params: dict[str, Any]

    @property
    def component(self) -> Component:
        """Look the component up among what is installed."""
        return installed().get(self.kind, f"{self.distribution}/{self.name}")

    @property
    def typed_params(self) -> Any:
        """Return the params dataclass that the component is built with."""
        spec = self.component.usable_spec
        return build(spec.params, renamed(spec, self.params, self.name), self.name)

    @property
    def label(self) -> str:
        """`name:key=value` with the parameters that differ from their defaults."""
        return label(self.name, self.typed_params)


class Evaluation(msgspec.Struct, frozen=True):
    """How a run is scored."""

    extractor: Part
    samples: int
    """Generated images that a score is computed from."""
    points: int
    """Evaluations during training, evenly spaced; the last is at the last step."""
    metrics: tuple[str, ...]
    """Names in `ganzoo.evaluate.metrics`; the first one's first column orders the table."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A combination with a seed. Equal ids mean equal results on one machine and device."""

    combination: str
    """The label of the combination, which the runs of other seeds share."""
    seed: int
    architecture: Part
    loss: Part
    tricks: tuple[Part, ...]
    dataset: Part
    shape: tuple[int, int, int]
    classes: int
    packing: int
    dtype: Literal["uint8", "float32"]
    """Of the data: pixels, or points in [-1, 1]."""
    recipe: dict[str, Any]
    sources: dict[str, str]
    """Where each recipe value came from."""
    adjustments: tuple[str, ...]
    """What the plan changed by itself, with reasons."""
    evaluation: Evaluation

    @property
    def id(self) -> str:
        """Hash of all that determines the result: 12 hexadecimal digits."""
        return _digest(self, ("combination", "sources", "adjustments"))

    @property
    def combination_id(self) -> str:
        """The same without the seed: 8 hexadecimal digits."""
        return _digest(self, ("combination", "sources", "adjustments", "seed"))[:8]

    @property
    def points(self) -> int:
        """After how many of its steps the run is evaluated: more than once a step is once."""
        return min(self.evaluation.points, self.recipe["steps"])

    @property
    def components(self) -> str:
        """Architecture, loss and tricks with the parameters that differ from their defaults.

        As `dist/name` where the combination says so, since two distributions may claim a name.
        """
        return " + ".join(
            f"{part.distribution}/{part.label}"
            if f"{part.distribution}/{part.name}" in self.combination
            else part.label
            for part in (self.architecture, self.loss, *self.tricks)
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """All components that take part."""
        return (self.architecture, self.loss, *self.tricks, self.dataset, self.evaluation.extractor)


def _digest(run: Run, without: tuple[str, ...]) -> str:
    values = {key: value for key, value in msgspec.to_builtins(run).items() if key not in without}
    return hashlib.sha256(msgspec.json.encode(values, order="deterministic")).hexdigest()[:12]
