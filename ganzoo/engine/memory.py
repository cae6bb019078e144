"""Memory that a process frees and needs again, as every training step does."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Of glibc's `mallopt` (malloc.h): when freed memory is given back, and how many pieces are the system's own."""
NEVER = -1


def keep_memory() -> None:
    """Let this process keep what it frees, if its allocator is glibc's; no other is changed.

    By default glibc gets each piece of more than 32 MiB from the system and gives it back at once. A tensor of that
    size then costs a page fault for every 4 KiB, each time that it is made: a sixth of a step of `resnet`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, NEVER)
