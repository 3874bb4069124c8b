"""When a delivery that failed is tried again, and when it is given up."""

import random

_PAUSES_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200)
_LONGEST_SECONDS = 6 * 3600
_SPREAD = 0.2


def next_due(attempts: int, create_ms: int, now_ms: int, days: int) -> int | None:
    """Return the instant of the next attempt, or None when the delivery is given up.

    Pauses grow from seconds to six hours, a little spread so that receivers that come back are
    not overrun. ``attempts`` have been made; it is given up ``days`` after it was taken up.
    """
    if now_ms - create_ms >= days * 86_400_000:
        return None
    index = attempts - 1
    pause = _PAUSES_SECONDS[index] if index < len(_PAUSES_SECONDS) else _LONGEST_SECONDS
    return now_ms + round(pause * 1000 * (1 + random.random() * _SPREAD))
