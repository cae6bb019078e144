"""How long a download waits for a server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

NETWORK_TIMEOUT = 30.0
"""Seconds that a server may stay silent; behind a firewall the system's own limit is minutes, or none at all."""


@contextmanager
def patience() -> Iterator[None]:
    """Give up on a server that stays silent; neither torchvision nor torch.hub has a setting for it."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(NETWORK_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
