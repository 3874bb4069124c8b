"""Where a library takes no notice of a cancellation."""

from __future__ import annotations

import asyncio


def still_wanted() -> None:
    """Raise CancelledError if this task was cancelled, and what it awaited came back all the same.

    `asyncio.wait_for` of Python 3.11 does that when the awaited thing is ready at the moment of the
    cancellation (fixed in 3.12), and a fetch from the bus waits that way. A loop that fetches would
    go on for ever, and hold up the end of its process.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
