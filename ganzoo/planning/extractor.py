"""Which feature network scores the data, and which metrics it can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganzoo.api import DatasetSpec
from ganzoo.errors import IncompatibleError, ParameterError, SuiteError
from ganzoo.evaluate.metrics import METRICS
from ganzoo.params import label, parse
from ganzoo.planning.choice import choose
from ganzoo.planning.request import Asked, metric_names
from ganzoo.planning.suite import Place
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import installed


@dataclass(frozen=True)
class Own:
    """The feature network that a dataset names."""

    text: str
    """As `name:key=value`."""
    bound: bool = False
    """Whether its parameters describe this very dataset, as a mixture's modes: with others it fits other data."""


def own_extractor(dataset: Chosen) -> Own:
    """Return the feature network that a dataset names, which may depend on its parameters."""
    spec = dataset.component.usable_spec
    assert isinstance(spec, DatasetSpec)
    if callable(spec.extractor):
        return Own(dataset.ask("extractor", dataset.params), bound=True)
    return Own(spec.extractor)


def choose_extractor(asked: Asked | None, own: Own) -> Chosen:
    """Return the feature network that was asked for, or the data's own; a bound one must have the data's parameters.

    Raises:
        GanzooError: a name that nobody knows, or the data's own network with parameters of other data.
    """
    mine = Asked(*parse(own.text), Place("extractor"))
    if asked is None or not own.bound or not _same_extractor(asked.name, mine.name):
        (chosen,) = choose("extractor", [asked or mine])
        return chosen
    try:
        whole = asked._replace(values={**mine.values, **asked.values})
        fitting, chosen = choose("extractor", [mine, whole])
    except (ParameterError, SuiteError) as error:
        raise type(error)(f"{error}; what was not given is that of the data's own, {own.text}") from None
    if chosen.params != fitting.params:
        raise IncompatibleError(
            f"{label(asked.name, chosen.params)} is about other data than this, whose own is {own.text}; leave out "
            "--extractor"
        )
    return chosen


def _same_extractor(one: str, other: str) -> bool:
    """Return whether two names, either as `dist/name` or not, mean one feature network."""
    return installed().get("extractor", one) == installed().get("extractor", other)


def choose_scorer(
    extractor: str | None, metrics: str | Sequence[str] | None, own: Own, usual: Sequence[str] = ("fid", "is")
) -> tuple[Chosen, tuple[str, ...]]:  # fmt: skip
    """Return a feature network and the metrics that it is to serve: where none are named, the usual that it can.

    Raises:
        GanzooError: a name that nobody knows, or a metric that the network cannot serve.
    """
    asked = Asked(*parse(extractor), Place("extractor")) if extractor else None
    chosen = choose_extractor(asked, own)
    names = metric_names(metrics, Place("metrics")) if metrics else served(usual, chosen)
    check_metrics(names, chosen)
    return chosen, names


def check_input(name: str, points: bool, extractor: Chosen) -> None:
    """Check that a feature network takes what the data consists of: float32 points, or images.

    Raises:
        IncompatibleError: it takes the other.
    """
    if points != ("points" in extractor.provides):
        has, sees = ("points, no images", "images") if points else ("images, no points", "points")
        raise IncompatibleError(f"{name} has {has}, and {extractor.name} looks at {sees}; choose another --extractor")


def served(metrics: Sequence[str], extractor: Chosen) -> tuple[str, ...]:
    """Return the metrics that a feature network can serve; a Fréchet distance is always among them."""
    return tuple(name for name in metrics if METRICS[name].trait in ("", *extractor.provides)) or ("fid",)


def check_metrics(metrics: Sequence[str], extractor: Chosen) -> None:
    """Check that a feature network can serve the metrics.

    Raises:
        IncompatibleError: it gives no class logits, say, and a metric is about classes.
    """
    for name in metrics:
        trait = METRICS[name].trait
        if trait and trait not in extractor.provides:
            raise IncompatibleError(
                f"the metric {name} needs an extractor that provides {trait}, and {extractor.name} does not; choose "
                f"another with --extractor, or --metrics {','.join(served(tuple(METRICS), extractor))}"
            )
