"""What every component must do: the checks of `ganzoo check`, one test each."""

from collections.abc import Callable

import pytest

from ganzoo.testing import conformance

NAMES = ("infogan",)


@pytest.mark.parametrize("check", [check for name in NAMES for check in conformance(name, together=False)])
def test_conformance(check: Callable[[], None]) -> None:
    check()
