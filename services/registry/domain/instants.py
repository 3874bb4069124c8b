"""Instants as integers: milliseconds since 1970, UTC."""

import time
from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

# Returns the present instant in milliseconds; a test gives its own.
Clock = Callable[[], int]


def now_ms() -> int:
    """Return the present instant in milliseconds."""
    return time.time_ns() // 1_000_000


def timestamp(instant_ms: int) -> Timestamp:
    """Return an instant as a contract writes it."""
    return Timestamp(seconds=instant_ms // 1000, nanos=instant_ms % 1000 * 1_000_000)


def milliseconds(moment: Timestamp) -> int:
    """Return the instant of a contract's timestamp, in milliseconds."""
    return moment.seconds * 1000 + moment.nanos // 1_000_000
