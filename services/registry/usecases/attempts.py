"""How often one may try to sign in or up: by address, and by where the attempts come from."""

import hashlib
import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from services.chassis.causes import said
from services.chassis.errors import ResourceExhausted
from spareline.errors.v1 import cause_pb2, reason_pb2

PER_MINUTE = 10
SIGN_UPS_PER_MINUTE = 30


class Attempts:
    """Counts in this process: with n copies of the service the limits are n times as high."""

    def __init__(self, per_minute: int = PER_MINUTE, peer_per_minute: int = PER_MINUTE) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._email = RateLimitItemPerMinute(per_minute, namespace="email")
        self._sign_up = RateLimitItemPerMinute(SIGN_UPS_PER_MINUTE, namespace="sign-up")
        self._peer = RateLimitItemPerMinute(peer_per_minute, namespace="peer")

    async def admit(self, email: str, peer: str) -> None:
        """Count an attempt. ``peer`` empty: not known, not limited.

        Raises ResourceExhausted (RATE_LIMITED) with ``retry_seconds`` in its metadata.
        """
        if peer and not await self._limiter.test(self._peer, peer):
            raise await self._refusal(self._peer, peer)
        key = _key(email)
        # Counted before the password is looked at: many attempts at once are many.
        if not await self._limiter.hit(self._email, key):
            raise await self._refusal(self._email, key)

    async def admit_sign_up(self, peer: str) -> None:
        """Count a sign-up. ``peer`` empty: not known, not limited.

        Raises ResourceExhausted (RATE_LIMITED) with ``retry_seconds`` in its metadata.
        """
        if peer and not await self._limiter.hit(self._sign_up, peer):
            raise await self._refusal(self._sign_up, peer)

    async def succeeded(self, email: str) -> None:
        """Forget the attempts for an address: only wrong ones are to be limited."""
        await self._limiter.clear(self._email, _key(email))

    async def failed(self, peer: str) -> None:
        """Count a wrong attempt against where it came from."""
        if peer:
            await self._limiter.hit(self._peer, peer)

    async def _refusal(self, item: RateLimitItemPerMinute, key: str) -> ResourceExhausted:
        stats = await self._limiter.get_window_stats(item, key)
        seconds = max(1, math.ceil(stats.reset_time - time.time()))
        return ResourceExhausted(
            reason_pb2.REASON_RATE_LIMITED,
            said(cause_pb2.CAUSE_TOO_MANY_ATTEMPTS, seconds=seconds),
            metadata={"retry_seconds": str(seconds)},
        )


def _key(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()  # one shape, however long the address is
