"""From flags and a suite file to a plan and how to carry it out: shared by the command line and Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import ParameterError
from ganzoo.params import is_whole
from ganzoo.planning.grid import Plan, make_plan
from ganzoo.planning.placement import CHOICES, choose_engine
from ganzoo.planning.request import folder, make_request, the_one
from ganzoo.planning.suite import SUITE_KEYS, Given, merge, near_key, read_suite
from ganzoo.registry.compatibility import Chosen


@dataclass(frozen=True)
class RunOptions:
    """How to carry a plan out; no result depends on it but for rounding."""

    device: str = "auto"
    mode: str = "auto"
    precision: str = "auto"
    jobs: int | None = None
    profile: bool = False
    out: Path | None = None
    engine: Chosen | None = None
    """What places the runs; None: processes of this machine."""


def plan_from(flags: Mapping[str, Any], suite: Path | None) -> tuple[Plan, RunOptions]:
    """Return the plan and options of these flags over this suite file."""
    for key in flags:
        if key not in SUITE_KEYS:
            raise ParameterError(f'no setting "{key}"{near_key(key)}')
    if "combination" in flags:
        raise ParameterError("combination: only a suite file lists combinations; write one, and give its path")
    values = read_suite(suite) if suite else {}
    options = _options(merge(flags, values, suite))
    return make_plan(make_request(flags, values, suite)), options


def _options(given: Mapping[str, Given]) -> RunOptions:
    options: dict[str, Any] = {}
    for key, known in CHOICES.items():
        if key in given:
            value, place = given[key]
            if value not in known:
                raise place.refuse(f"must be {' or '.join(known)}, not {value!r}")
            options[key] = value
    if "jobs" in given:
        jobs, place = given["jobs"]
        if not is_whole(jobs) or jobs < 1:
            raise place.refuse(f"must be a whole number, at least 1, not {jobs!r}")
        options["jobs"] = int(jobs)
    if "profile" in given:
        profile, place = given["profile"]
        if type(profile) is not bool:
            raise place.refuse(f"must be true or false, not {profile!r}")
        options["profile"] = profile
    if "out" in given:
        options["out"] = folder(*given["out"])
    if "engine" in given:
        engine = the_one(*given["engine"], "one engine carries a grid out")
        options["engine"] = choose_engine(engine, options)
    return RunOptions(**options)
