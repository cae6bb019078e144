#!/usr/bin/env python3
"""Run a command of this checkout in its own environment, which is made at the first call.

    python3 tools/run.py ganzoo list
    python3 tools/run.py pytest

The command runs in the current directory and its exit code is passed on. `ganzoo` needs what a user of ganzoo needs;
any other command gets the `dev` dependency group as well. The environment is `.venv` in the checkout, or one of those
kept in the folder that GANZOO_ENVS names; `python3 tools/run.py --prune` empties the others that are kept there.

Whatever `python3` is has to be able to read this file, so its syntax is older than the rest of ganzoo's.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the file that says so
    sys.exit("ganzoo needs Python 3.11 or newer, and this is " + sys.version.split()[0] + ": " + sys.executable)
if os.name != "posix":
    sys.exit("tools/run.py runs on Linux and macOS; elsewhere install ganzoo as README.md says, or use WSL")

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - also under PYTHONSAFEPATH

from environment.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
