"""What the built-in engines declare. No torch."""

from __future__ import annotations

from ganzoo.api import Spec

LOCAL = Spec(
    kind="engine",
    target="ganzoo.zoo.engines.local:Local",
    summary="processes of this machine: one run per core, or on a GPU one process whose runs take turns",
)
