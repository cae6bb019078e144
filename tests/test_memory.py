"""A process that keeps its memory gets large pieces again without a page fault for each 4 KiB."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from ganzoo.engine import memory

FAULTS = """
import resource, sys
from ganzoo.engine.memory import keep_memory
if sys.argv[1:]:
    keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for number in range(6):
    piece = bytearray(64 << 20)
    del piece
    if number == 0:
        before = faults()
print(faults() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="its allocator is not glibc's")
def test_large_pieces_come_from_what_was_freed():
    def count(*how: str) -> int:
        command = [sys.executable, "-c", FAULTS, *how]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert 4 * count("kept") < count()  # where pages are huge, there are fewer faults either way


def test_another_allocator_is_left_alone(monkeypatch):
    asked: list[str] = []

    class Allocator:
        def __getattr__(self, name):
            asked.append(name)
            raise AttributeError(name)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Allocator())
    memory.keep_memory()
    assert asked == ["mallopt"]
