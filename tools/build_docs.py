"""Build the documentation's site, and refuse whatever leads nowhere: a link, an anchor, a page in no list, a name.

python tools/build_docs.py             # write build/site, without a network
python tools/build_docs.py --external  # instead, ask every address that the pages name whether it is there

Its pages are the Markdown files of the whole repository, so that what links to what is checked across all of them.
"""

import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"
FIRST = "docs/index.html"
STRICT = ("--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--quiet")


def main() -> int:
    """Build or check, and return the exit code."""
    places = ("-c", str(ROOT / "docs"), "-d", str(ROOT / "build" / "doctrees"), str(ROOT))
    if "--external" in sys.argv[1:]:
        return sphinx(["--builder", "linkcheck", *places, str(ROOT / "build" / "links")])
    code = sphinx(["--builder", "html", *STRICT, *places, str(SITE)])
    if code == 0:
        (SITE / "index.html").write_text(f'<meta http-equiv="refresh" content="0; url={FIRST}">\n', encoding="utf-8")
        print(f"{SITE / FIRST}")
    return code


if __name__ == "__main__":
    sys.exit(main())
