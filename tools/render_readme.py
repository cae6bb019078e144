"""Put the tables, outputs and code that README.md shows where its comments ask for them.

python tools/render_readme.py           # write README.md
python tools/render_readme.py --check   # exit with 1 where README.md is not what it would write
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- (table|run|code): (.+?) -->\n.*?<!-- /\1 -->", re.DOTALL)


def render(text: str) -> str:
    """Return the text with every block filled in again."""
    return BLOCK.sub(lambda found: _block(found[1], found[2]), text)


def _block(kind: str, what: str) -> str:
    if kind == "table":
        content = (ROOT / what).read_text(encoding="utf-8")
    elif kind == "code":
        content = f"```python\n{(ROOT / what).read_text(encoding='utf-8')}```\n"
    else:
        command = [sys.executable, "-m", "ganzoo", *shlex.split(what)[1:]]
        output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        content = f"```console\n$ {what}\n{output}\n```\n"
    return f"<!-- {kind}: {what} -->\n{content}<!-- /{kind} -->"


def main() -> int:
    """Write or check README.md."""
    before = README.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
