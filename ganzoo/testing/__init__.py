"""The conformance suite: what every component must do, for `ganzoo check` and for a plugin's own tests.

A plugin's test file needs no more than this, with its own component's name for `sphere`:

    @pytest.mark.parametrize("check", conformance("sphere"))
    def test_conformance(check):
        check()

`toy_step` gives a loss or trick logits that are known, to compare a formula with its paper.
"""

from ganzoo.testing.parametrize import conformance
from ganzoo.testing.toy import toy_step

__all__ = ["conformance", "toy_step"]
