"""A worker process beside the replay: it gives way to it, and does not outlive it."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

_LOOK_SECONDS: Final = 1.0
_NICENESS: Final = 19


def give_way() -> None:
    """Run when the worker starts: what is timed is the replay, so it comes first."""
    os.nice(_NICENESS)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def end(pool: ProcessPoolExecutor) -> None:
    """End the worker whatever it is at: nobody waits for it any more."""
    for process in list(pool._processes.values()):
        process.kill()
    pool.shutdown(wait=True, cancel_futures=True)


def _end_with(parent: int) -> None:
    """A parent that is killed can't tell its workers; they look for it."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
