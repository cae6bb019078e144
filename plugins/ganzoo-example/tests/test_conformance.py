"""What every component must do: the checks of `ganzoo check`, one test each."""

from collections.abc import Callable

import pytest

from ganzoo.testing import conformance

PARAMETERS = [check for name in ("cppn:width=16", "f-gan", "lecam") for check in conformance(name, together=False)]


@pytest.mark.parametrize("check", PARAMETERS)
def test_conformance(check: Callable[[], None]) -> None:
    check()
