"""The audit log: read by owners and operators, and filled with what matching tells."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from google.protobuf.message import DecodeError

from services.chassis import paging
from services.chassis.access import Principal
from services.chassis.aggregates import Document
from services.chassis.events import Delivery, Poison
from services.registry.domain import auditing, refusals
from services.registry.domain.instants import milliseconds
from services.registry.store.audit import RANDOM_BITS, AuditLog
from services.registry.store.organizations import Organizations
from services.registry.usecases import pages
from services.registry.usecases.authority import require_owner_of
from spareline.events.v1 import events_pb2
from spareline.registry.v1 import registry_service_pb2 as api

DURABLE = "registry-audit"
SUBJECTS = ("market.mutation.recorded.v1",)
ALL = "organizations/-"
_Request = api.ListAuditEntriesRequest


class AuditEntries:
    """Lists entries, newest first."""

    def __init__(self, organizations: Organizations, audit: AuditLog) -> None:
        self._organizations = organizations
        self._audit = audit

    async def list(self, principal: Principal, request: _Request) -> api.ListAuditEntriesResponse:
        """Return a page. Raises PermissionDenied, NotFound, InvalidArgument."""
        since = max(await self._beginning(principal, request.parent), _ms(request, "since"))
        bound = paging.bound_to(request)
        before = int(paging.decode(request.page_token, bound).get("before", "0"))
        until = _ms(request, "until") << RANDOM_BITS
        before = min(before, until) if before and until else before or until
        size = pages.size_of(request)
        organization = "" if request.parent == ALL else request.parent
        found, reached = await self._audit.page(
            organization, before, since, size + 1, _conditions(request)
        )
        following = found[size - 1][0] if len(found) > size else reached
        token = paging.encode({"before": str(following)}, bound) if following else ""
        entries = [entry for _, entry in found[:size]]
        return api.ListAuditEntriesResponse(audit_entries=entries, next_page_token=token)

    async def _beginning(self, principal: Principal, parent: str) -> int:
        """Return the instant from which on there may be entries, for who may read them."""
        await require_owner_of(self._organizations, principal, parent, managed=True, operator=True)
        if parent == ALL:
            return 0
        organization = await self._organizations.get(parent)
        if organization is None:
            raise refusals.not_found(parent)
        # An organization's creation is noted after its create_time was set.
        return milliseconds(organization.create_time)

    async def follow(self, deliveries: Sequence[Delivery]) -> None:
        """Take in what matching has recorded; what came before changes nothing. Raises Poison."""
        for delivery in deliveries:
            try:
                event = events_pb2.MutationRecorded.FromString(delivery.payload)
            except DecodeError as error:
                raise Poison(f"not an event of {delivery.subject}") from error
            entry = event.entry
            digest = hashlib.sha256(delivery.id.encode()).digest()
            low = int.from_bytes(digest[:4], "big") & ((1 << RANDOM_BITS) - 1)
            order = milliseconds(event.time) << RANDOM_BITS | low
            self._audit.add(entry, auditing.logs_of(entry, event.organization), order)
        await self._audit.flush()


def _ms(request: _Request, field: Literal["since", "until"]) -> int:
    return milliseconds(getattr(request, field)) if request.HasField(field) else 0


def _conditions(request: _Request) -> Document:
    """Return what an entry's document must hold."""
    wanted: dict[str, Any] = {}
    if request.kind == _Request.KIND_CHANGE:
        wanted["rpc"] = {"$gt": ""}
    elif request.kind == _Request.KIND_READING:
        wanted["rpc"] = ""
    if request.method:
        wanted["rpc"] = request.method
    if request.refused_only:
        wanted["refused"] = True
    if request.actor:
        # A subject goes on behind its organization; an organization stands for all of its own.
        field = "actor" if request.actor.count("/") > 1 else "actor_organization"
        wanted[field] = request.actor
    return wanted
