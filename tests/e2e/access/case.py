"""One request to one RPC, and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from tests.e2e.access.scene import Scene

Make = Callable[[Scene], Message]


@dataclass(frozen=True)
class Case:
    """One request to one RPC.

    ``let_in`` is what a caller gets whom the access option lets in: "OK" or a reason.
    ``but`` names the callers for whom the use case decides otherwise.
    ``concerns_a`` is set where the use case applies the rule of the organization.
    """

    method: str
    request: Make
    let_in: str = "OK"
    but: Mapping[str, str] = field(default_factory=dict)
    concerns_a: bool | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """What the case is called in a report."""
        return f"{self.method}{' ' if self.note else ''}{self.note}"


def same(message: Message) -> Make:
    """Return what makes the same request in every scene."""
    return lambda _: message
