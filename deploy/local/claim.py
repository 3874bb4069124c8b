"""One launcher per data directory: a lock that the system frees when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deploy.local.layout import Layout
from deploy.local.problems import AlreadyRunning


@contextmanager
def claim(layout: Layout, *, purpose: str) -> Iterator[None]:
    """Hold the data directory for as long as the block runs.

    `purpose` is what a second one is told, "the stack at http://…".

    Raises:
        AlreadyRunning: another process holds it; the text names it.
    """
    handle = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who(handle, layout)) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "purpose": purpose}).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        # The file stays: removing it would let two launchers lock two files of one name.
        os.close(handle)


def _who(handle: int, layout: Layout) -> str:
    held: dict[str, object] = {}
    with suppress(ValueError):
        held = json.loads(os.pread(handle, 4096, 0))
    what = held.get("purpose", "another program")
    pid = f" (pid {held['pid']})" if "pid" in held else ""
    return f"Already running on {layout.root}: {what}{pid}."
