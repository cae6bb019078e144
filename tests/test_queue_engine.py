"""The engine for Slurm that docs/contracts.md shows passes the checks, on a queue that is as Slurm is towards it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from ganzoo.registry.lookup import installed
from ganzoo.testing.subject import Subject
from ganzoo.testing.suite import outcomes

PAGE = Path(__file__).resolve().parent.parent / "docs" / "contracts.md"
SPEC = """
from dataclasses import dataclass
from ganzoo.api import Spec, param

@dataclass(frozen=True)
class Params:
    partition: str = param("short", "which queue")
    jobs: int = param(100, "jobs in the queue", low=1)
    cores: int = param(1, "cores for each job", low=1)

SPEC = Spec(kind="engine", target="ganzoo_slurm.engine:Slurm", summary="jobs of a Slurm cluster", params=Params)
"""
COMMANDS = {
    "sbatch": """
    for word; do case "$word" in --wrap=*) wrap="${word#--wrap=}";; esac; done
    job=$(mktemp -d "$QUEUE/XXXXXX")
    printf '#!/bin/sh\\n%s\\n' "$wrap" > "$job/script"
    (setsid sh -c 'sh "$0/script" & echo $! > "$0/new"; mv "$0/new" "$0/pid"; wait $!; echo $? > "$0/new"
        mv "$0/new" "$0/code"' "$job" > /dev/null 2>&1 &)
    echo "$(basename "$job");cluster"
    """,
    "sacct": """
    job="$QUEUE/$3"
    test -e "$job/pid" || exit 0
    test -e "$job/code" || { echo "RUNNING|0:0"; exit 0; }
    code=$(cat "$job/code")
    test "$code" -le 128 || { echo "CANCELLED by 0|0:$((code - 128))"; exit 0; }
    test "$code" -eq 0 && echo "COMPLETED|0:0" || echo "FAILED|$code:0"
    """,
    "scancel": """
    signal=TERM
    for word; do case "$word" in --signal=*) signal="${word#--signal=}";; --*) ;; *) job="$QUEUE/$word";; esac; done
    while ! test -e "$job/pid"; do :; done
    kill -s "$signal" "$(cat "$job/pid")"
    """,
}


@pytest.fixture
def slurm(make_distribution, tmp_path: Path, monkeypatch) -> Subject:
    """Install the engine of the page, and the three commands of Slurm that it uses."""
    (source,) = re.findall(r'```python\n("""Jobs of ganzoo as jobs of Slurm.+?)```', PAGE.read_text(), re.DOTALL)
    assert len(source.splitlines()) < 60
    site = make_distribution("ganzoo-slurm", {"ganzoo.engines": {"slurm": "ganzoo_slurm.spec:SPEC"}})
    (site / "ganzoo_slurm").mkdir()
    for name, text in (("__init__", ""), ("spec", SPEC), ("engine", source.replace("seconds = 5.0", "seconds = 0.1"))):
        (site / "ganzoo_slurm" / f"{name}.py").write_text(text, encoding="utf-8")
    commands, queue = tmp_path / "commands", tmp_path / "queue"
    for folder in (commands, queue):
        folder.mkdir()
    for name, text in COMMANDS.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE", str(queue))
    monkeypatch.chdir(tmp_path)
    installed.cache_clear()
    return Subject(installed().get("engine", "slurm"))


@pytest.mark.skipif(sys.platform != "linux", reason="needs setsid")
def test_it_passes_every_check(slurm: Subject):
    found = list(outcomes(slurm, only=lambda check: check.name != "grid"))
    assert {"carries-out", "tells-failures", "stops", "kills"} <= {one.check.name for one in found}
    assert [(one.check.name, one.message) for one in found if one.verdict != "passed"] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs setsid")
def test_it_carries_a_grid_out(slurm: Subject):
    (found,) = outcomes(slurm, only=lambda check: check.name == "grid")
    assert (found.verdict, found.message) == ("passed", "")
