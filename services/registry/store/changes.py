"""Read, decide, compare and set: again and again until nobody came in between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.chassis.aggregates import Aggregates, Answer, Document, Event
from services.registry.domain import refusals

ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision writes: fields, events, and the answer to replay."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()
    answer: Answer | None = None


# Looks at a document and says what to write; None leaves it as it is.
Decide = Callable[[Document], Change | None]


async def change(aggregates: Aggregates, name: str, decide: Decide) -> Document:
    """Write what ``decide`` says about the present document, and return that document.

    Raises what ``decide`` raises, NotFound when there is no such document, Aborted
    (CONFLICT) when others kept coming in between.
    """
    for _ in range(ATTEMPTS):
        document = await aggregates.get(name)
        if document is None:
            raise refusals.not_found(name)
        wanted = decide(document)
        if wanted is None:
            return document
        if await aggregates.compare_and_set(
            name, document["revision"], wanted.fields, wanted.events, [wanted.answer]
        ):
            return document
    raise refusals.conflict()
