"""The Markdown pages of the repository, and the code and commands that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/*.md"), *ROOT.glob("benchmarks/*/*.md"),
     ROOT / "benchmarks" / "README.md"]
)  # fmt: skip
FENCED = r"^```(?P<language>[^\s`]*)[^\n]*\n(?P<fenced>.*?)^```$"
INDENTED = r"(?<=\n\n)(?P<indented>(?:    [^\n]*\n|\n(?=    ))+)"
BLOCK = re.compile(rf"(?P<mark><!-- [^\n]* -->\n\n?)?(?:{FENCED}|{INDENTED})", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(ganzoo [a-z][^`]*)`")


class Block(NamedTuple):
    """A block of code, and where it stands."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    """A comment right above it, without its arrows."""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines, those that a backslash continues as one, without prompts."""
        return [line.removeprefix("$ ") for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        code = found["fenced"] or "\n".join(line[4:] for line in (found["indented"] or "").splitlines())
        mark = (found["mark"] or "").strip().removeprefix("<!-- ").removesuffix(" -->")
        yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"] or "", code, mark)


def inline_commands(page: Path) -> list[str]:
    """The commands of ganzoo that stand within sentences."""
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(one.split()) for one in INLINE.findall(prose)]
