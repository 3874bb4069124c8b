"""A loop ends when it is cancelled, even where what it awaits takes no notice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from services.chassis.cancelling import still_wanted


async def _deaf() -> None:
    """Come back as if nothing had been asked."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0.01)


async def test_a_swallowed_cancellation_is_raised_again() -> None:
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await _deaf()
            still_wanted()
            turns += 1

    task = asyncio.create_task(loop())
    while turns < 2:  # noqa: ASYNC110 - it counts by itself
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(2):
            await task


async def test_a_timeout_that_was_taken_back_is_no_cancellation() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)
    still_wanted()
