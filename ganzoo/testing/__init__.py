"""The conformance suite: what every component must do, for `ganzoo check` and for a plugin's own tests.

A plugin's test file needs no more than this, with its own component's name for `sphere`:

    @pytest.mark.parametrize("check", conformance("sphere"))
    def test_conformance(check):
        check()
"""

from ganzoo.testing.parametrize import conformance

__all__ = ["conformance"]
