"""What stands in the queue for a part of a round, and what is said about it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field

# Subjects, each followed by the run: an answer lies ready, or none will come; where a part stands;
# the run is over, or all are.
ANSWERS, STEPS, OVER = "work.answer.", "work.step.", "work.over."
ALL = "all"

# Who takes a unit that often and does not bring it to an end will not do so the next time.
MOST_DELIVERIES = 3
_NAME = re.compile(r"^[A-Za-z0-9-]{1,80}(/[a-z0-9-]{1,80})?$")


@dataclass(frozen=True)
class Ticket:
    """One unit of work.

    ``run`` is the solve that it belongs to, ``index`` the part's place there. The unit and its
    answer lie in the room under ``unit`` and ``answer``. ``deadline`` is the moment, in seconds of
    the epoch, from which on nobody wants the answer; ``seconds`` the part's own wall limit.
    """

    run: str
    index: int
    unit: str
    answer: str
    version: str
    seconds: float
    deadline: float
    trace: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Ticket:
        """Read what `to_bytes` wrote.

        Raises:
            ValueError: the bytes are no ticket; the message names what is wrong.
        """
        try:
            plain = json.loads(data)
            ticket = Ticket(**plain)
        except TypeError as error:
            raise ValueError(f"a ticket has other fields: {error}") from error
        for name in ("run", "unit", "answer", "version"):
            value = getattr(ticket, name)
            if not isinstance(value, str) or not _NAME.match(value):
                raise ValueError(f"{name} is {str(value)[:80]!r}, which is no name")
        for name in ("seconds", "deadline"):
            value = getattr(ticket, name)
            if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
                raise ValueError(f"{name} is {value!r}, a positive number of seconds is needed")
        if type(ticket.index) is not int or ticket.index < 0:
            raise ValueError(f"index is {ticket.index!r}, a number from 0 is needed")
        if not isinstance(ticket.trace, dict):
            raise ValueError("trace holds no headers")
        return ticket


def word(**said: int | bool | None) -> bytes:
    """Something said about a unit."""
    return json.dumps(said, separators=(",", ":")).encode()


def read_word(data: bytes, *names: str) -> tuple[int | None, ...]:
    """The named numbers of what was said.

    Raises:
        ValueError: the bytes say something else.
    """
    plain = json.loads(data)
    if not isinstance(plain, dict) or set(plain) != set(names):
        raise ValueError(f"{', '.join(names)} were expected")
    found = tuple(plain[name] for name in names)
    if not all(each is None or isinstance(each, int) for each in found):
        raise ValueError(f"{', '.join(names)} must be whole numbers")
    return found
