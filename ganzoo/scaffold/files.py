"""The files of a new plugin: templates filled in, and written where nothing is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from ganzoo.api import API_VERSION, Kind
from ganzoo.errors import ParameterError
from ganzoo.paths import exists
from ganzoo.scaffold.names import Names
from ganzoo.version import __version__

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".tmpl"
LICENCES = ("Apache-2.0", "MIT", "BSD-3-Clause", "none")
USAGE: Mapping[Kind, str] = {
    "architecture": "--model {name} --loss bce,hinge",
    "loss": "--model mlp --loss {name},bce",
    "trick": "--model mlp --loss bce --ablate {name}",
    "dataset": "--model mlp --loss bce --dataset {name}",
    "extractor": "--model mlp --loss bce --extractor {name} --metrics fid",
    "engine": "--model mlp --loss bce --engine {name}",
}
"""What a user of a component types behind `ganzoo bench`."""
ARTICLES: Mapping[Kind, str] = {
    "architecture": "an architecture",
    "loss": "a loss",
    "trick": "a trick",
    "dataset": "a dataset",
    "extractor": "a feature network for metrics",
    "engine": "an engine",
}


def files(names: Names, author: str = "", licence: str = LICENCES[0]) -> dict[str, str]:
    """Return the text of every file of a new plugin, by its path in the plugin's folder."""
    words = _words(names, author or f"The {names.distribution} authors", licence)
    found: dict[str, str] = {}
    for folder in ("common", names.kind):
        for template in sorted((TEMPLATES / folder).rglob(f"*{SUFFIX}")):
            path = _path(template.relative_to(TEMPLATES / folder), names)
            found[path] = Template(template.read_text(encoding="utf-8")).substitute(words)
    if licence != "none":
        text = (TEMPLATES / "licences" / f"{licence}.txt").read_text(encoding="utf-8")
        found["LICENSE"] = Template(text).safe_substitute(words)
    return dict(sorted(found.items()))


def _path(template: Path, names: Names) -> str:
    """Return where a template's file goes: `package` is named as the plugin's, and `dot-` is a dot."""
    parts = [names.package if part == "package" else part.replace("dot-", ".") for part in template.parts]
    return "/".join(parts).removesuffix(SUFFIX)


def _words(names: Names, author: str, licence: str) -> dict[str, str]:
    major, minor, *_ = __version__.split(".")
    return {
        "kind": names.kind,
        "a_kind": ARTICLES[names.kind],
        "plural": names.plural,
        "name": names.name,
        "distribution": names.distribution,
        "package": names.package,
        "class_name": names.class_name,
        "author": author,
        "author_quoted": json.dumps(author, ensure_ascii=False),  # which is TOML, too
        "licence": "a licence of your choice" if licence == "none" else licence,
        "licence_line": "" if licence == "none" else f'license = "{licence}"\n',
        "core": f"ganzoo-core>={major}.{minor},<{int(major) + 1}",
        "api": str(API_VERSION),
        "usage": USAGE[names.kind].format(name=names.name),
    }


def write(folder: Path, contents: Mapping[str, str]) -> None:
    """Write the files of a new plugin into a folder that there is not yet.

    Raises:
        ParameterError: the folder is there, or cannot be made.
    """
    if exists(folder):
        raise ParameterError(f"{folder} is there already; move it away, or choose another place with --in FOLDER")
    try:
        for path, text in contents.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"cannot write {folder}: {error.strerror or error}; choose another with --in") from None
