"""The guides: their links lead somewhere, their code and commands do what they say, the gallery is current."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from clean_environment import build_wheels, install, make_environment, run

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GUIDE = ROOT / "docs" / "first-loss.md"
SHORT = {"--steps": "4", "--seeds": "1"}
"""What a test can wait for; the guide's own numbers take three minutes."""


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Markdown viewers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link} names no heading"


def test_every_guide_is_named_in_the_readme_or_by_a_guide() -> None:
    guides = set((ROOT / "docs").glob("*.md"))
    named = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in (ROOT / "README.md", *guides)
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link
    }
    assert guides <= named


@pytest.mark.slow
def test_the_guide_to_a_first_loss_works_as_it_is_written(tmp_path: Path, own_wheel: Path) -> None:
    environment = make_environment(tmp_path / "env", [own_wheel])
    shown = ""
    for language, file, text in FENCE.findall(GUIDE.read_text(encoding="utf-8")):
        if language == "python":
            assert (tmp_path / file).exists(), f"{file}: ganzoo new writes no such file"
            (tmp_path / file).write_text(text, encoding="utf-8")
        else:
            shown = carry_out(text, tmp_path, environment)
    assert "| mlp + soft-margin |" in shown
    assert "| mlp + soft-margin:margin=0 |" in shown
    plugin = tmp_path / "ganzoo-soft-margin"
    run(environment / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", "tests/test_loss.py", cwd=plugin)
    for command in (("check",), ("format", "--check")):
        run(sys.executable, "-m", "ruff", *command, "--no-cache", ".", cwd=plugin)


def carry_out(text: str, folder: Path, environment: Path) -> str:
    """Run the commands of a block in an environment; return what the last one printed."""
    shown = ""
    for line in text.splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        if program == "pip":  # offline, and without what it depends on, which is there
            install(environment, build_wheels([folder / words[-1]], folder / "wheels"))
            continue
        assert program == "ganzoo", line
        for option, value in SHORT.items():
            if option in words:
                words[words.index(option) + 1] = value
        small = ("--device", "cpu", "--samples", "50", "--evaluations", "1") if words[0] == "bench" else ()
        shown = run(environment / "bin" / "ganzoo", *words, *small, cwd=folder)
    return shown


def test_the_gallery_is_what_the_registry_holds() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "render_gallery.py", "--check"], check=False)
    assert done.returncode == 0, "run: python3 tools/run.py python tools/render_gallery.py"
