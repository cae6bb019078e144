"""README's two commands are there as written, and contributors and continuous integration run the second."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = "python3 tools/run.py ganzoo bench benchmarks/digits/suite.toml"
TEST = "python3 tools/run.py pytest -n auto --dist worksteal"


def lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("command", [BENCH, TEST])
def test_readme_states_the_command_on_a_line_of_its_own(command: str) -> None:
    assert command in lines(ROOT / "README.md")


def test_the_suite_that_readme_names_exists() -> None:
    assert (ROOT / BENCH.rsplit(maxsplit=1)[-1]).is_file()


def test_contributing_states_the_same_test_command() -> None:
    assert TEST in lines(ROOT / "CONTRIBUTING.md")


def test_ci_ends_with_the_test_command() -> None:
    assert [line for line in lines(ROOT / ".ci" / "run") if line][-1] == TEST


def test_readme_shows_what_the_code_and_the_tables_say() -> None:
    """Its blocks are written by tools/render_readme.py."""
    done = subprocess.run([sys.executable, ROOT / "tools" / "render_readme.py", "--check"], check=False)
    assert done.returncode == 0, "run: python3 tools/run.py python tools/render_readme.py"
