"""Whatever the pages show as code is code that works: commands are planned or parsed, and Python is executed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context
from click.testing import CliRunner
from pages import PAGES, ROOT, Block, blocks, inline_commands

import ganzoo
from ganzoo.cli.main import cli
from ganzoo.registry.lookup import installed
from ganzoo.testing.source import in_folder

CARRIED_OUT = ("docs/first-loss.md", "run: ", "code: ", "tried in: ")
"""By tests/test_docs.py a page, by tools/render_readme.py what has these marks, and by the test that the last names."""
ALL = [block for page in PAGES for block in blocks(page) if not block.language.startswith("{")]
LEFT = [one for one in ALL if not one.place.startswith(CARRIED_OUT) and not one.mark.startswith(CARRIED_OUT)]
PYTHON = [one for one in LEFT if one.language == "python"]
SHELL = [one for one in LEFT if one.language != "python" and not one.mark.startswith("not run: ")]
SMALL = ("--steps", "2", "--evaluations", "1", "--samples", "64", "--seeds", "1", "--device", "cpu")
TOOLS = {"pytest", "ruff", "pyright", "python"}


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See the plugins of this repository as installed, in the processes that a test starts too."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.path)
    for project in sorted((ROOT / "plugins").glob("*/pyproject.toml")):
        in_folder(project.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*(one for one in sys.path if one not in before), str(ROOT)]))
    yield
    installed.cache_clear()


def test_what_is_not_run_says_why() -> None:
    marked = [one for one in LEFT if one not in PYTHON + SHELL]
    assert all(len(one.mark) > len("not run: because") for one in marked)
    elsewhere = [one.mark.removeprefix("tried in: ") for one in ALL if one.mark.startswith("tried in: ")]
    assert all((ROOT / test).is_file() for test in elsewhere)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_the_commands_of_a_page_are_there_and_take_their_options(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for line in block.commands:
        program, *words = shlex.split(line, comments=True)
        try_command(program, words)


def try_command(program: str, words: list[str]) -> None:
    """Plan what would train, parse what is ganzoo's, and look scripts and their options up."""
    if words[:1] == ["tools/run.py"]:
        program, *words = words[1:]
        assert program in {"ganzoo", *TOOLS}
    if program == "ganzoo":
        plan_or_parse(words)
    elif words and words[0].endswith((".py", ".sh")):
        script = (ROOT / words[0]).read_text(encoding="utf-8")
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in script] == []
    else:
        assert program in {"pip", *TOOLS}, f"{program}: run it in a test, or write above it: <!-- not run: WHY -->"


def plan_or_parse(words: list[str]) -> None:
    if words[0] == "bench":
        done = CliRunner().invoke(cli, [*words, "--dry-run"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    else:
        command_of(words[0]).make_context(words[0], words[1:])


def command_of(name: str) -> Command:
    found = cli.get_command(Context(cli), name)
    assert found, f"there is no command {name}"
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_within_sentences_are_there(page: Path) -> None:
    for line in inline_commands(page):
        name, *words = line.split()[1:]
        known = {option for one in command_of(name).params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.slow
@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_does_what_it_shows(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but small and short; a run that it reads again is one of the page's own command."""
    monkeypatch.chdir(tmp_path)
    text = block.text.replace('"steps": 500', '"steps": 2')
    if "runs/..." in text:
        text = text.replace("runs/.../seed-0", str(train(first_bench(block.page))))
    in_full = ganzoo.bench
    small = {"seeds": 1, "samples": 64, "evaluations": 1, "device": "cpu"}
    monkeypatch.setattr(ganzoo, "bench", lambda **request: in_full(**request | small))
    namespace: dict[str, object] = {}
    exec(compile(text, block.place, "exec"), namespace)
    assert len(namespace["images"].shape) == 4  # type: ignore[attr-defined]


def first_bench(page: Path) -> list[str]:
    lines = [shlex.split(line, comments=True) for block in blocks(page) for line in block.commands]
    return next(words[1:] for words in lines if words[:2] == ["ganzoo", "bench"])


def train(words: list[str]) -> Path:
    """Carry a command out, short, and return the folder of its run."""
    done = CliRunner().invoke(cli, [*words, *SMALL], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (config,) = Path("runs").rglob("config.json")
    return config.parent
