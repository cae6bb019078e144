"""How Sphinx makes the site: `python tools/build_docs.py`. Its pages are the Markdown of the whole repository."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util.nodes import make_refnode

from ganzoo.version import __version__

project = "ganzoo"
author = "The ganzoo authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "plugins/*/*.md", "benchmarks/**.md"]
exclude_patterns = ["build", "dist", "runs", ".*"]

myst_heading_anchors = 4
smartquotes = False  # --model stays --model

default_role = "code"  # docstrings are written as Markdown is
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
FOREIGN = r"(collections\.abc|pathlib|torch|np|nn)\..*|Tensor|Generator|Path"
INSIDE = r"ganzoo\.\w+\.\w+\.(Column|Game|Protocol|Published|Request|Run)|PlayerStep|Tell"  # these may change
nitpick_ignore_regex = [("py:.*", f"{FOREIGN}|{INSIDE}")]  # any other type that a signature names has its description

html_theme = "furo"
html_title = f"ganzoo {__version__}"
html_copy_source = False
html_show_copyright = False


def _give_a_title(_: Sphinx, page: str, text: list[str]) -> None:
    """Put a heading above a table that `ganzoo report` wrote: a page without one has no place in the contents."""
    if text[0].startswith("|"):
        folder, name = Path(page).parts[-2:]
        text[0] = f"# {folder}: {name}\n\n{text[0]}"


def _as_restructured_text(_: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring into what Sphinx reads: its sections, indented code, and the help of a dataclass's fields."""
    text = re.sub(r":\n\n(?=    )", "::\n\n", "\n".join(lines))
    lines[:] = text.split("\n")
    if what in ("class", "function", "method", "exception"):
        lines[:] = GoogleDocstring(lines, Config(), None, what, name, found, options).lines()
    lines += [f":param {field}: {help}" for field, help in _helps(found)]


def _helps(found: Any) -> Iterator[tuple[str, str]]:
    """Yield the fields of a dataclass that say in their metadata what they are."""
    for field in dataclasses.fields(found) if inspect.isclass(found) and dataclasses.is_dataclass(found) else ():
        if "help" in field.metadata:
            yield field.name, field.metadata["help"]


def _without_arguments(_: Sphinx, what: str, name: str, found: Any, *more: Any) -> tuple[str, None] | None:
    """Leave the arguments of a class out: its fields stand below, each with its type and meaning."""
    return ("", None) if what == "class" and inspect.isclass(found) else None


def _by_its_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.reference | None:
    """Find a class that a signature names as its module imports it, `Plan` for `ganzoo.planning.grid.Plan`."""
    last = node.get("reftarget", "").rpartition(".")[2]
    known = env.domains.python_domain.objects
    found = [(name, one) for name, one in known.items() if name.rpartition(".")[2] == last and not one.aliased]
    if node.get("refdomain") != "py" or len(found) != 1:
        return None
    name, one = found[0]
    return make_refnode(app.builder, node["refdoc"], one.docname, one.node_id, shown, name)


def setup(app: Sphinx) -> None:
    """Register them."""
    app.connect("missing-reference", _by_its_last_name)
    app.connect("source-read", _give_a_title)
    app.connect("autodoc-process-docstring", _as_restructured_text)
    app.connect("autodoc-process-signature", _without_arguments)
