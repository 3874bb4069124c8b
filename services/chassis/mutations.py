"""What a call that changes something is remembered by: who, what, for whom, with which outcome.

Names only: no value of any field is ever taken out of a request or an answer.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from services.chassis.access import Principal, Rule, organization_of, values_at

OK = "OK"
_LONGEST_NAME = 300
_MOST_FIELDS = 40
_VERB = re.compile(r"[A-Z][a-z]+")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change, or the attempt at one. ``outcome`` is "OK" or the name of a Reason."""

    method: str
    """Service and method, for example RegistryService.CreateOffer."""
    actor: str
    actor_organization: str
    organization: str
    """For which organization it was done, or whose the changed thing is."""
    resource: str
    fields: tuple[str, ...]
    outcome: str
    request_id: str

    @property
    def verb(self) -> str:
        """The first word of the method: create, update, accept …"""
        found = _VERB.match(self.method.rpartition(".")[2])
        return found[0].lower() if found else ""


# Called with what one call has changed; returns once that is stored, or will surely be.
Recorder = Callable[[Sequence[Mutation]], Awaitable[None]]


def of_call(
    path: str,
    rule: Rule,
    principal: Principal,
    request: Message | None,
    answer: Message | None,
    outcome: str,
    request_id: str,
) -> list[Mutation]:
    """Return what a call has changed: one for each part of a batch, none for a mere check.

    A service of the platform carries out what others have decided and is left out, as is who
    could not even say who they are.
    """
    if principal.role == "service" or getattr(request, "validate_only", False):
        return []
    method = path.rpartition(".")[2].replace("/", ".")
    found = []
    for part, part_answer, part_outcome in _parts(request, answer, outcome):
        resource = _name(part_answer) or _name(part)
        organization = (
            _acted_for(rule, request, part) or organization_of(resource) or principal.organization
        )
        if principal.kind == "anonymous" and (outcome != OK or not organization):
            continue
        found.append(
            Mutation(
                method,
                principal.subject,
                principal.organization,
                organization,
                resource or organization,
                _fields(part),
                part_outcome,
                request_id,
            )
        )
    return found


def _parts(
    request: Message | None, answer: Message | None, outcome: str
) -> Iterator[tuple[Message | None, Message | None, str]]:
    """A batch is a request with requests in it; its answer tells the outcome of each."""
    batch: Sequence[Message] = getattr(request, "requests", ())
    if not batch:
        yield request, answer, outcome
        return
    results: Sequence[Any] = getattr(answer, "results", ())
    for index, part in enumerate(batch):
        reason = getattr(results[index], "reason", "") if index < len(results) else ""
        yield part, None, reason or outcome


def _acted_for(rule: Rule, request: Message | None, part: Message | None) -> str:
    if not rule.organization_field or request is None or part is None:
        return ""
    path = rule.organization_field.split(".")
    values = values_at(part, path[1:]) if part is not request else values_at(request, path)
    return organization_of(values[0]) if values else ""


def _name(message: Message | None) -> str:
    """The resource name in a message: its own, that of a part of it, or that of its parent."""
    if message is None:
        return ""
    fields = message.DESCRIPTOR.fields_by_name
    if "name" in fields and isinstance(own := getattr(message, "name"), str) and own:  # noqa: B009
        return own[:_LONGEST_NAME]
    for _field, value in message.ListFields():
        inner = getattr(value, "name", "") if isinstance(value, Message) else ""
        if isinstance(inner, str) and inner:
            return inner[:_LONGEST_NAME]
    parent = getattr(message, "parent", "") if "parent" in fields else ""
    return parent[:_LONGEST_NAME] if isinstance(parent, str) else ""


def _fields(message: Message | None) -> tuple[str, ...]:
    mask = getattr(message, "update_mask", None)
    return tuple(mask.paths[:_MOST_FIELDS]) if mask is not None else ()
