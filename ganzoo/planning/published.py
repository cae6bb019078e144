"""A published score that a combination can be compared with. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from ganzoo.evaluate.metrics import METRICS, columns
from ganzoo.evaluate.protocol import Protocol
from ganzoo.planning.suite import Place
from ganzoo.zoo.specs.extractors import INCEPTION_2015, INCEPTION_2015_SHA256

KEYS = tuple(column.key for column in columns(METRICS))


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scores that others printed, and of their protocol what decides whether ours can be compared with them."""

    source: str
    """Who printed them, and where."""
    scores: Annotated[dict[str, float], msgspec.Meta(min_length=1)]
    """By the key of a column: fid, is, kid, modes, kl, quality, ..."""
    extractor: str
    """The feature network in ganzoo's terms, e.g. `inception:protocol=tf-compat`."""
    samples: Annotated[int, msgspec.Meta(ge=1)]
    """Generated images."""
    reference: str
    """The real images, e.g. `the train split`."""
    checkpoint: Literal["last", "best"] = "last"
    steps: int | None = None
    """Generator steps; other lengths are shown, and do not hinder a comparison."""
    remark: str = ""
    """What else differs."""

    def differences(self, protocol: Protocol) -> list[str]:
        """Return what forbids a comparison with scores of this protocol, each with both values, theirs first."""
        found = [
            f"{field} ({getattr(self, field)} / {getattr(protocol, field)})"
            for field in ("extractor", "samples", "reference")
            if getattr(self, field) != getattr(protocol, field)
        ]
        of_inception = self.extractor == protocol.extractor and self.extractor.partition(":")[0] == INCEPTION_2015
        if of_inception and not protocol.canonical:
            found.append(f"network's weights (sha256 {INCEPTION_2015_SHA256[:8]} / {protocol.extractor_sha256[:8]})")
        if of_inception and protocol.extractor_code:
            found.append(f"network's code (ganzoo's / {protocol.extractor_code})")
        return found


def read_published(value: Any, place: Place) -> Published:
    """Return the published row of a suite file's table.

    Raises:
        GanzooError: a field is missing, unknown or of the wrong type, or a score has no such column or is no number.
    """
    if not isinstance(value, Mapping):
        raise place.refuse(f"must be a table, headed [combination.published], not {value!r}")
    try:
        found = msgspec.convert(value, Published)
    except msgspec.ValidationError as error:
        raise place.refuse(str(error)) from None
    for key, score in found.scores.items():
        if key not in KEYS:
            raise place.refuse(f'no column "{key}"; write one of {", ".join(KEYS)}')
        if not math.isfinite(score):  # JSON has no such number: the results could not be read again
            raise place.refuse(f"scores.{key} is {score}, which nobody printed; leave it out")
    return msgspec.structs.replace(found, source=_one_line(found.source), remark=_one_line(found.remark))


def _one_line(text: str) -> str:
    """Return a text of several lines, as TOML has them, on one: a note of a table is a line."""
    return " ".join(text.split())
