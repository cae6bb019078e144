"""From flags and a suite file to a plan and how to carry it out: shared by the command line and Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import ParameterError, did_you_mean
from ganzoo.paths import data_root
from ganzoo.planning.grid import Plan, make_plan
from ganzoo.planning.request import RUN_KEYS, SUITE_KEYS, make_request, read_suite


@dataclass(frozen=True)
class RunOptions:
    """How to carry a plan out; no result depends on it but for rounding."""

    device: str = "auto"
    jobs: int | None = None
    out: Path | None = None


def plan_from(flags: Mapping[str, Any], suite: Path | None) -> tuple[Plan, RunOptions]:
    """Return the plan and options of these flags over this suite file."""
    for key in flags:
        if key not in SUITE_KEYS:
            raise ParameterError(f'no setting "{key}"{did_you_mean(key, SUITE_KEYS)}')
    values = {"data_root": str(data_root()), **(read_suite(suite) if suite else {})}
    options = {key: values.pop(key) for key in RUN_KEYS if key in values}
    options |= {key: flags[key] for key in RUN_KEYS if flags.get(key) is not None}
    given = {key: value for key, value in flags.items() if key not in RUN_KEYS}
    return make_plan(make_request(given, values, suite)), _options(options)


def _options(values: Mapping[str, Any]) -> RunOptions:
    device, jobs, out = values.get("device", "auto"), values.get("jobs"), values.get("out")
    if device not in ("auto", "cpu", "cuda"):
        raise ParameterError(f'device must be auto, cpu or cuda, not "{device}"')
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ParameterError(f"jobs must be a whole number, at least 1, not {jobs!r}")
    return RunOptions(device, jobs, None if out is None else Path(out).expanduser())
