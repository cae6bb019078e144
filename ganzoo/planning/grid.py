"""Expand a request into checked runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from ganzoo.api import DataInfo, DatasetSpec, Setting
from ganzoo.errors import IncompatibleError
from ganzoo.params import label
from ganzoo.planning.choice import choose, part
from ganzoo.planning.extractor import check_input, check_metrics, choose_extractor, own_extractor, served
from ganzoo.planning.fold import fold, separate
from ganzoo.planning.published import Published
from ganzoo.planning.request import Asked, Layer, Product, Request
from ganzoo.planning.run import Evaluation, Run
from ganzoo.registry.compatibility import Chosen, negotiate, objections

MOST_SAMPLES = 10_000
NONE_WORKS = "no combination of this grid can work: "
"""How the error of a grid begins whose combinations are all refused; the reasons follow."""


@dataclass(frozen=True)
class Refusal:
    """A combination of the grid that cannot work, with all reasons."""

    combination: str
    """What it would be called."""
    reasons: tuple[str, ...]
    """Each names the component that cannot work, with what, and why."""


@dataclass(frozen=True)
class Plan:
    """The runs of a grid and the combinations that were refused."""

    runs: tuple[Run, ...]
    """One for each seed of each combination."""
    refusals: tuple[Refusal, ...]
    """What was left out."""
    request: Request
    """What was asked for."""
    published: Mapping[str, Published] = field(default_factory=dict[str, Published])
    """By the id of a combination."""

    @property
    def combinations(self) -> list[Run]:
        """One run, the first seed's, of each combination."""
        return [run for run in self.runs if run.seed == self.request.seeds[0]]


@dataclass(frozen=True)
class _Dataset:
    chosen: Chosen
    info: DataInfo
    evaluation: Evaluation


def make_plan(request: Request) -> Plan:
    """Look every name up, settle what components leave open, and check every combination.

    Raises:
        GanzooError: a name, parameter or dataset is wrong, or no combination of the grid can work.
    """
    runs: list[Run] = []
    refusals: list[Refusal] = []
    published: dict[str, Published] = {}
    names: dict[str, str] = {}
    several = len({(asked.name, repr(asked.values)) for product in request.products for asked in product.dataset}) > 1
    for product in request.products:
        candidates = list(_candidates(product, request))
        if len(candidates) > 1 and (product.name or product.published):
            raise product.place.refuse(
                f"{product.name or 'it'} makes {len(candidates)} combinations, and a name or a published row is "
                "of one; split it into a [[combination]] for each"
            )
        for data, chosen in candidates:
            name = product.name or _name(data, chosen, several)
            reasons, run = _combine(name, chosen, data, product.layers)
            if run is not None and run.id in names:
                if names[run.id] == name:
                    raise product.place.refuse(f"the grid holds {name} twice; name each component once")
                reasons, run = [f"with what the plan settled, it is {names[run.id]} again"], None
            if run is None:
                refusals.append(Refusal(name, tuple(reasons)))
                continue
            if name in names.values():
                raise product.place.refuse(
                    f'another combination is called "{name}", too; give each a name of its own, as in name = "..."'
                )
            names[run.id] = name
            runs += [msgspec.structs.replace(run, seed=seed) for seed in request.seeds]
            if product.published:
                published[run.combination_id] = product.published
    if not runs:
        lines = "; ".join(f"{refusal.combination}: {', '.join(refusal.reasons)}" for refusal in refusals)
        raise IncompatibleError(f"{NONE_WORKS}{lines}")
    return Plan(tuple(runs), tuple(refusals), request, published)


def _candidates(product: Product, request: Request) -> Iterator[tuple[_Dataset, tuple[Chosen, ...]]]:
    """Yield every dataset with every architecture, loss and set of tricks."""
    for data, architecture, loss, tricks in itertools.product(
        [_dataset(asked, request) for asked in product.dataset],
        choose("architecture", product.model),
        choose("loss", product.loss),
        _trick_sets(product),
    ):
        yield data, (architecture, loss, *tricks)


def _name(data: _Dataset, chosen: Sequence[Chosen], several: bool) -> str:
    """Return what a combination is called: its components, behind the dataset where there are several."""
    name = " + ".join(label(one.name, one.params) for one in chosen)
    return f"{label(data.chosen.name, data.chosen.params)}: {name}" if several else name


def _trick_sets(product: Product) -> Iterator[tuple[Chosen, ...]]:
    """Yield the fixed tricks with every subset of the ablated ones, the smallest first."""
    fixed = choose("trick", product.trick)
    ablated = choose("trick", product.ablate)
    names = [trick.component.full_name for trick in (*fixed, *ablated)]
    for number, asked in enumerate((*product.trick, *product.ablate)):
        if names[number] in names[:number]:
            said = f"the trick {names[number]} is named twice; each trick can be used once in a combination"
            raise asked.place.refuse(said)
    for size in range(len(ablated) + 1):
        for subset in itertools.combinations(ablated, size):
            yield (*fixed, *subset)


def _dataset(asked: Asked, request: Request) -> _Dataset:
    (chosen,) = choose("dataset", [asked])
    spec = chosen.component.usable_spec
    assert isinstance(spec, DatasetSpec)
    with asked.place.blamed():
        info: DataInfo = chosen.ask("describe", chosen.params, request.data_root)
    extractor = choose_extractor(request.extractor, own_extractor(chosen))
    check_input(chosen.name, info.dtype == "float32", extractor)
    metrics = request.metrics or (served(spec.metrics, extractor) if request.extractor else spec.metrics)
    check_metrics(metrics, extractor)
    most = info.test or info.train // 2
    samples = request.samples or spec.samples or min(most, MOST_SAMPLES)
    return _Dataset(chosen, info, Evaluation(part(extractor), samples, request.evaluations, metrics))


def _combine(
    name: str, chosen: Sequence[Chosen], data: _Dataset, asked: Sequence[Layer]
) -> tuple[list[str], Run | None]:
    settled, adjustments = negotiate(chosen)
    conditional = any("class-conditional" in one.provides for one in settled)
    setting = Setting(data.info.shape, data.info.classes if conditional else 0)
    for one in settled:
        setting = one.ask("setting", one.params, setting) if one.component.usable_spec.setting else setting
    reasons = objections(settled, setting, {*data.chosen.provides, *(["labels"] if data.info.classes else [])})
    layers = [Layer(one.name, one.recipe) for one in (data.chosen, *settled)]
    layers += [Layer(f"{one.name}, as given", one.given_recipe) for one in (data.chosen, *settled)]
    recipe, sources = fold((*layers, *asked))
    adjustments += separate(recipe, sources, settled)
    if recipe["batch_size"] > data.info.train:
        batch = f"batch size {recipe['batch_size']} exceeds the {data.info.train} training images"
        reasons.append(f"{batch}; lower it with --batch-size")
    if recipe["batch_size"] % setting.packing:
        batch = f"batch size {recipe['batch_size']} is no multiple of the {setting.packing} images judged together"
        reasons.append(f"{batch}; change it with --batch-size")
    if reasons:
        return reasons, None
    architecture, loss, *tricks = (part(one) for one in settled)
    return [], Run(
        combination=name,
        seed=0,
        architecture=architecture,
        loss=loss,
        tricks=tuple(tricks),
        dataset=part(data.chosen),
        shape=setting.shape,
        classes=setting.classes,
        packing=setting.packing,
        dtype=data.info.dtype,
        recipe=recipe,
        sources=sources,
        adjustments=tuple(adjustments),
        evaluation=data.evaluation,
    )
