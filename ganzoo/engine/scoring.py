"""Score images that are already there: find them, find the feature network, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganzoo import paths
from ganzoo.data.pictures import Pictures, Statistics, open_pictures, trained_on
from ganzoo.engine.machine import fresh_defaults, pick_device, use_float32
from ganzoo.errors import DataError, ParameterError
from ganzoo.evaluate.compare import Tell, compare
from ganzoo.planning.choice import part
from ganzoo.planning.extractor import Own, check_input, choose_scorer
from ganzoo.registry.compatibility import Chosen
from ganzoo.registry.lookup import build_target
from ganzoo.registry.provenance import code_of
from ganzoo.results.comparison import Comparison


@fresh_defaults()
def score_pictures(
    fakes: Sequence[str],
    against: str | None,
    extractor: str | None,
    metrics: str | Sequence[str] | None,
    samples: int | None,
    which: str,
    device: str,
    data_root: Path | None,
    tell: Tell,
) -> Comparison:
    """Return what images score against real ones; arguments and errors as in `ganzoo.score`."""
    if not fakes:
        raise ParameterError("score what? name a folder, .zip, .npz, .npy, a run, or a dataset as in mnist@test")
    root = data_root or paths.data_root()
    if samples is not None and samples < 2:
        raise ParameterError(f"samples must be at least 2, not {samples}")
    reals = open_pictures(against, root) if against else trained_on(fakes[0], root)
    if reals is None:
        raise ParameterError("against what? add --against REALS; only a run knows what it was trained on")
    pictures = [_images(open_pictures(fake, root, samples, which, device)) for fake in fakes]
    looked_at = [*pictures, *([reals] if isinstance(reals, Pictures) else [])]
    chosen, names = _scorer(extractor, metrics, looked_at)
    for one in looked_at:
        check_input(one.label, one.points, chosen)
    place = pick_device(device)
    use_float32()
    network = build_target(chosen.component)(chosen.params).to(place)
    whose = part(chosen)
    return compare(pictures, reals, network, whose.label, code_of(whose.distribution), names, place, tell)


def _scorer(
    extractor: str | None, metrics: str | Sequence[str] | None, looked_at: Sequence[Pictures]
) -> tuple[Chosen, tuple[str, ...]]:  # fmt: skip
    """Choose a feature network by the first pictures that name one; by the real ones where theirs knows their modes."""
    known = [one for one in looked_at if one.own]
    if not known:
        return choose_scorer(extractor, metrics, Own("inception"))
    decides = next((one for one in reversed(known) if one.own and one.own.bound), known[0])
    assert decides.own
    return choose_scorer(extractor, metrics, decides.own, decides.metrics)


def _images(found: Pictures | Statistics) -> Pictures:
    if isinstance(found, Statistics):
        raise DataError(f"{found.label} holds mu and sigma: give it as --against, and images to be scored")
    return found
