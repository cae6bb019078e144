"""What every component must do: the checks of `ganzoo check`, one test each."""

from collections.abc import Callable

import pytest

from ganzoo.testing import conformance

SMALL = "r3gan:latent=8,widths=16x16x16x16,cardinality=4,blocks=1"
NAMES = (SMALL, "r3gan-penalty", "r3gan-projection", "r3gan-schedule")


@pytest.mark.parametrize("check", [check for name in NAMES for check in conformance(name, together=False)])
def test_conformance(check: Callable[[], None]) -> None:
    check()
