"""One supervised process, as the launcher describes it to the process that becomes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Program:
    """One supervised process. `stop_seconds` is how long it may take to end before SIGKILL."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    stop_seconds: float

    def to_json(self) -> dict[str, Any]:
        """For `child.py`, which reads it back in the process that becomes the program."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**data, "command": tuple(data["command"])})
