"""Calls that are made again, with the same request id, until the market acknowledges them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from services.chassis import grpc_errors
from services.chassis.errors import DomainError

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.15
# What a caller may answer with a repeat. INTERNAL is none of them: a crash of something behind
# a service must reach its callers as "away for now", so that they know what to do.
_AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
    }
)


async def acknowledged(call: Callable[[], Awaitable[T]]) -> T | DomainError:
    """Return what the market says in the end: an answer, or the refusal of a rule.

    Raises grpc.aio.AioRpcError when it is still away after ``PATIENCE_SECONDS``, or when it
    answers with something that is neither (INTERNAL, UNKNOWN).
    """
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_SECONDS
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
                raise
            if error.code() not in _AGAIN:
                return grpc_errors.from_rpc_error(error)
            if clock() > until:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


async def granted(call: Callable[[], Awaitable[T]]) -> T:
    """Return the answer in the end; a refusal is a fault. Raises AssertionError."""
    answer = await acknowledged(call)
    assert not isinstance(answer, DomainError), answer
    return answer


async def becomes_true(check: Callable[[], Awaitable[str]], seconds: float) -> None:
    """Wait until a check finds nothing left to say. Raises AssertionError with what it says."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while True:
        said = await granted(check)
        if not said:
            return
        assert clock() < until, f"after {seconds:.0f} s still: {said}"
        await asyncio.sleep(0.25)
