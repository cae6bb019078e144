"""The guides: their links lead somewhere, their code and commands do what they say, the gallery is current."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from clean_environment import build_wheels, install, make_environment, run
from pages import PAGES, ROOT

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


def test_ci_builds_the_site() -> None:
    """Where every warning is an error: of a link or an anchor that leads nowhere, of a page that nothing leads to."""
    assert "python3 tools/run.py python tools/build_docs.py" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_gallery_is_what_the_registry_holds() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "render_gallery.py", "--check"], check=False)
    assert done.returncode == 0, "run: python3 tools/run.py python tools/render_gallery.py"


TABLE = """| combination | FD-digits-cnn last | p | n |
| --- | ---: | ---: | ---: |
| 1: mine, wide | 3.33 ± 0.28 | - | 2 |
| dcgan + hinge | 4.00 ± 0.10 | 0.5 | 2 |
| real images (floor) | 0.28 |  |  |

Protocol: 599 images, against the train split of digits (1,198 images) in the 32 features of digits-cnn:x=1 (sha256 0909e7b1; to 8x8); floor: 599 real images; fingerprint a145f4db.

1: mine, wide: dcgan:width=8 + bce + r1:gamma=1.
"""  # noqa: E501


def test_the_gallery_reads_the_rows_of_a_table_from_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    from benchmark_tables import read

    file = tmp_path / "table.md"
    file.write_text(TABLE, encoding="utf-8")
    table = read(file)
    assert table.fingerprint == "a145f4db"
    assert [(row.place, row.combination, row.score, row.seeds) for row in table.rows] == [
        (1, "1: mine, wide", "FD-digits-cnn last 3.33 ± 0.28", "2"),
        (2, "dcgan + hinge", "FD-digits-cnn last 4.00 ± 0.10", "2"),
    ]
    shared = {"dcgan", "digits", "digits-cnn"}
    assert [row.components for row in table.rows] == [shared | {"bce", "r1"}, shared | {"hinge"}]


def test_a_table_without_a_protocol_is_no_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    from benchmark_tables import read

    file = tmp_path / "table.md"
    file.write_text(TABLE.replace("Protocol", "Note"), encoding="utf-8")
    with pytest.raises(ValueError, match="names no protocol: write it with ganzoo report"):
        read(file)
