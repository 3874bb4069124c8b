"""The time that is left for the call being answered, so that each hop gets less of it."""

import time
from contextvars import ContextVar, Token

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)

# What is kept back at each hop to pass the answer on.
RESERVE_SECONDS = 0.05


def start(seconds: float | None) -> Token[float | None]:
    """Note that the present call must be answered within so many seconds (None: no limit)."""
    return _deadline.set(None if seconds is None else time.monotonic() + seconds)


def end(token: Token[float | None]) -> None:
    """Forget the deadline that ``start`` noted."""
    _deadline.reset(token)


def remaining() -> float | None:
    """Return the seconds left for the present call, or None when nothing limits it."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - time.monotonic()


def shorten(wanted: float | None) -> float | None:
    """Return the seconds that a call to another service may take."""
    left = remaining()
    if left is None:
        return wanted
    left = max(left - RESERVE_SECONDS, 0.001)
    return left if wanted is None else min(wanted, left)
