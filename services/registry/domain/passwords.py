"""Passwords: Argon2id (RFC 9106), computed beside the event loop and never many at once."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.chassis.causes import said
from services.chassis.errors import ResourceExhausted
from spareline.errors.v1 import cause_pb2, reason_pb2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one hash costs. The default is OWASP's advice for Argon2id, some 50 ms."""

    passes: int = 2
    memory_kib: int = 19_456
    lanes: int = 1


class Passwords:
    """Hashes and verifies. Memory in use is at most ``parallel`` times the cost's."""

    def __init__(self, cost: Cost | None = None, *, parallel: int = 2, waiting: int = 200) -> None:
        """``waiting`` is how many calls may queue before further ones are refused."""
        cost = cost or Cost()
        self._hasher = PasswordHasher(cost.passes, cost.memory_kib, cost.lanes)
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="argon2")
        self._most = parallel + waiting
        self._running = 0
        # Verified against when there is no account, so that time tells nothing.
        self._nobody = self._hasher.hash("no account has this password")

    async def hash(self, password: str) -> str:
        """Return the encoded hash. Raises ResourceExhausted when too many are waiting."""
        return await self._in_thread(partial(self._hasher.hash, password))

    async def verify(self, encoded: str, password: str) -> bool:
        """Tell whether the password fits; for an empty hash, take as long and say no.

        Raises ResourceExhausted when too many are waiting.
        """
        fits = await self._in_thread(partial(self._fits, encoded or self._nobody, password))
        return fits and bool(encoded)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fits(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, call: Callable[[], T]) -> T:
        with self._admitted():
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._running >= self._most:
            raise ResourceExhausted(
                reason_pb2.REASON_RATE_LIMITED,
                said(cause_pb2.CAUSE_TOO_MANY_SIGN_INS),
                metadata={"retry_seconds": "5"},
            )
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
