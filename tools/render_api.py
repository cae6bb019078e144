"""Write down all that ganzoo.api promises, so that a change of it is seen.

python tools/render_api.py           # write tests/api.txt
python tools/render_api.py --check   # exit with 1 where tests/api.txt is not what it would write

docs/api-policy.md says what may change when: a line that goes away or changes breaks plugins.
"""

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganzoo import api

FILE = Path(__file__).resolve().parent.parent / "tests" / "api.txt"


def render() -> str:
    """Return one line for everything public: constants, classes with their fields and methods, functions."""
    lines = [line for name in sorted(vars(api)) if not name.startswith("_") for line in _lines(name, vars(api)[name])]
    return "\n".join(map(_plain, lines)) + "\n"


def _plain(line: str) -> str:
    """Take out what is no promise: quotes around types, places in memory, and every field of an empty recipe."""
    line = re.sub(r"<dataclasses\._MISSING_TYPE object at \w+>", "MISSING", line)
    line = re.sub(r"= Recipe\(.*\)", "= Recipe()", line)
    return re.sub(r"(: |-> )'([^']+)'", r"\1\2", line)


def _lines(name: str, found: Any) -> Iterator[str]:
    if name in ALIASES or type(found) is int:
        yield f"{name} = {found!r}"
    elif getattr(found, "__module__", "") != "ganzoo.api":
        return
    elif inspect.isclass(found):
        yield f"class {name}({', '.join(base.__name__ for base in found.__bases__ if base is not object)})"
        yield from (f"    {line}" for line in _members(found))
    elif inspect.isfunction(found):
        yield f"def {name}{inspect.signature(found)}"


ALIASES = ("Kind", "Device", "Player", "Split", "Reasons", "Terms")


def _members(cls: type[Any]) -> Iterator[str]:
    """Yield the fields of a class with types and defaults, then its methods with their signatures."""
    fields = {field.name: field for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}
    for name, kind in vars(cls).get("__annotations__", {}).items():
        default = _default(fields[name]) if name in fields else _value(cls, name)
        yield f"{name}: {getattr(kind, '__forward_arg__', kind)}{default}"
    for name, member in vars(cls).items():
        if isinstance(member, property):
            yield f"{name}: {inspect.signature(member.fget).return_annotation}  (property)" if member.fget else name
        elif inspect.isfunction(member) and (not name.startswith("_") or name == "__call__"):
            yield f"{name}{inspect.signature(member)}"


def _value(cls: type[Any], name: str) -> str:
    """Return the value that a plain class or a named tuple gives a field."""
    given = getattr(cls, "_field_defaults", None)
    known = vars(cls) if given is None else given
    return f" = {known[name]!r}" if name in known else ""


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default.__name__ if inspect.isclass(field.default) else repr(field.default)}"
    return " = ..." if field.default_factory is not dataclasses.MISSING else ""


def main() -> int:
    """Write or check tests/api.txt."""
    if "--check" in sys.argv[1:]:
        return int(FILE.read_text(encoding="utf-8") != render())
    FILE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
