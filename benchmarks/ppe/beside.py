"""A worker process beside the replay: it gives way to it, and does not outlive it."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

_LOOK_SECONDS: Final = 1.0
_NICENESS: Final = 10


def give_way() -> None:
    """Run when the worker starts: what is timed is the replay, so it comes first."""
    os.nice(_NICENESS)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """A parent that is killed can't tell its workers; they look for it."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
