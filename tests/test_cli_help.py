"""What the commands say of themselves, and what docs/command-line.md promises of their output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import runner
from pages import ROOT

from ganzoo.cli.main import COMMANDS, cli

PROMISED = re.compile(r"^\| `ganzoo (.+?)` \| an? (array|object).* \| (.*) \|$", re.MULTILINE)
FILLED_IN = {"score --json": ["digits@test", "--against", "digits@train", "--device", "cpu"], "check --json": ["grid"]}
"""What a command needs besides, to print anything."""


def output(*words: str) -> str:
    return runner().invoke(cli, words, prog_name="ganzoo", env={"COLUMNS": "80"}).stdout


def promised() -> dict[str, tuple[str, set[str]]]:
    """Return of each command whether it prints an array or an object, and the keys."""
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    return {command: (form, set(re.findall("`(.+?)`", keys))) for command, form, keys in PROMISED.findall(page)}


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)], ids=" ".join)
def test_help_fits_80_columns_and_says_all_of_it(words: list[str]) -> None:
    shown = output(*words, "--help")
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"[a-z,]\.\.\.$", shown, re.MULTILINE), "a command's summary is cut short"


def test_json_has_the_keys_that_the_docs_promise() -> None:
    """Those of `ganzoo report` have a test that has a grid, in tests/test_bench.py."""
    commands = promised()
    assert len(commands) == 6
    for command, (form, keys) in commands.items():
        if command.startswith("report "):
            continue
        found: Any = json.loads(output(*command.split(), *FILLED_IN.get(command, [])))
        assert isinstance(found, list) == (form == "array")
        assert all(set(row) == keys for row in (found if form == "array" else [found])), command


def sent(where: str) -> tuple[int, str]:
    """Return the exit code of `ganzoo list losses` whose output a shell sends elsewhere, and what is left of it."""
    words = ["sh", "-c", f'exec "$@" {where}', "sh", sys.executable, "-m", "ganzoo", "list", "losses"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_command_works_where_its_streams_are_closed() -> None:
    assert sent(">&-") == (0, "")
    assert sent(">&- 2>&-") == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_output_that_no_room_is_left_for_is_told_in_a_line() -> None:
    code, told = sent("> /dev/full")
    assert code == 2
    assert told == "ganzoo: No space left on device: make room where its output goes, or send it elsewhere\n"
