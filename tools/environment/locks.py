"""File locks, which the kernel gives up when their last holder ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from environment.messages import SetupError, say

SHARED, ALONE = fcntl.LOCK_SH, fcntl.LOCK_EX


def lock(path: Path, how: int, message: str) -> int:
    """Take a lock, printing the message when that means waiting, and return the file descriptor that holds it."""
    held = open_lock(path)
    try:
        if not try_lock(held, how):
            say(message)
            fcntl.flock(held, how)
    except OSError as error:
        os.close(held)
        raise SetupError(f"cannot lock {path} ({error.strerror}): let GANZOO_ENVS name a local folder") from error
    return held


@contextlib.contextmanager
def locked(path: Path, message: str) -> Iterator[int]:
    """Hold a lock alone."""
    held = lock(path, ALONE, message)
    try:
        yield held
    finally:
        os.close(held)


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock alone if nobody else holds it, and tell whether it is held."""
    held = open_lock(path)
    try:
        yield try_lock(held, ALONE)
    finally:
        os.close(held)


def open_lock(path: Path) -> int:
    """Open a lock file; no program started from here inherits it unless it is told to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def try_lock(held: int, how: int) -> bool:
    """Take a lock without waiting, and return whether that worked."""
    try:
        fcntl.flock(held, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True
