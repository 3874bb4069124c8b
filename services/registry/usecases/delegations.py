"""Delegations: an organization's agreement that a platform acts for it, with its evidence."""

from collections.abc import Sequence

from google.protobuf.empty_pb2 import Empty

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document, Event
from services.chassis.causes import said
from services.chassis.errors import AlreadyExists
from services.registry.domain import organizations as records
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.store.changes import Change
from services.registry.store.organizations import ACTIVE, Organizations, body_fields, record
from services.registry.usecases import pages
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import Delegation, Organization
from spareline.registry.v1 import registry_service_pb2 as api

PATTERN = "organizations/{organization}/delegations/{delegation}"
MOST = 50


def agreement(platform: str, evidence: str, identity: str, instant_ms: int) -> Document:
    """Return what an organization's document keeps of a delegation."""
    return {"id": identity, "platform": platform, "evidence": evidence, "create_ms": instant_ms}


def _delegation(parent: str, kept: Document) -> Delegation:
    return Delegation(
        name=f"{parent}/delegations/{kept['id']}",
        platform=kept["platform"],
        evidence=kept["evidence"],
        create_time=timestamp(kept["create_ms"]),
    )


class Delegations:
    """Gives, lists and ends delegations."""

    def __init__(self, organizations: Organizations, clock: Clock) -> None:
        self._organizations = organizations
        self._clock = clock

    async def create(
        self, principal: Principal, request: api.CreateDelegationRequest
    ) -> Delegation:
        """Agree that a platform acts for the organization.

        Raises InvalidArgument (delegation.platform), AlreadyExists, PermissionDenied.
        """
        parent, platform = request.parent, request.delegation.platform
        await require_owner_of(self._organizations, principal, parent)
        await self._require_platform(parent, platform)
        replay = Replay.of(request)
        now = self._clock()
        identity = names.derived_id(f"{parent}/delegations", request.request_id)
        kept = agreement(platform, request.delegation.evidence, identity, now)
        answered = [_delegation(parent, kept)]

        def decide(document: Document) -> Change | None:
            repeated = replay.stored(document, Delegation)
            if repeated is not None:
                answered[:] = [repeated]
                return None
            if any(each["platform"] == platform for each in document["delegations"]):
                raise AlreadyExists(
                    reason_pb2.REASON_ALREADY_EXISTS, said(cause_pb2.CAUSE_ALREADY_DELEGATED)
                )
            if len(document["delegations"]) >= MOST:
                raise refusals.field_invalid(
                    "delegation", said(cause_pb2.CAUSE_TOO_MANY_DELEGATIONS, most=MOST)
                )
            return self._change(document, [*document["delegations"], kept], replay, answered[0])

        await self._organizations.change(parent, decide)
        return answered[0]

    async def _require_platform(self, parent: str, platform: str) -> None:
        found = await self._organizations.get(platform)
        if found is None or found.kind != Organization.KIND_PLATFORM or platform == parent:
            raise refusals.field_invalid(
                "delegation.platform",
                said(cause_pb2.CAUSE_NO_PLATFORM),
            )

    async def list(
        self, principal: Principal, request: api.ListDelegationsRequest
    ) -> api.ListDelegationsResponse:
        """Return a page of delegations, the oldest first."""
        document = await self._organizations.document(request.parent)
        if document is None or document["state"] != ACTIVE:
            raise refusals.not_found(request.parent)
        found = [_delegation(request.parent, kept) for kept in document["delegations"]]
        if request.parent != principal.organization:
            # A platform sees its own agreement, not which others there are.
            operates = principal.role == "operator"
            own = principal.organization
            found = [each for each in found if operates or each.platform == own]
        page, following = pages.cut(request, [(each.name, each) for each in found])
        return api.ListDelegationsResponse(delegations=page, next_page_token=following)

    async def delete(self, principal: Principal, request: api.DeleteDelegationRequest) -> None:
        """End a delegation; the platform can act no more within seconds."""
        parent = f"organizations/{names.parse(PATTERN, request.name)['organization']}"
        await require_owner_of(self._organizations, principal, parent)
        replay = Replay.of(request)
        identity = request.name.rpartition("/")[2]

        def decide(document: Document) -> Change | None:
            if replay.stored(document, Empty) is not None:
                return None
            left = [each for each in document["delegations"] if each["id"] != identity]
            if len(left) == len(document["delegations"]):
                raise refusals.not_found(request.name)
            return self._change(document, left, replay, Empty())

        await self._organizations.change(parent, decide)

    def _change(
        self,
        document: Document,
        kept: Sequence[Document],
        replay: Replay,
        answer: Delegation | Empty,
    ) -> Change:
        if document["state"] != ACTIVE:
            raise refusals.not_found(document["_id"])
        following = records.changed(record(document), self._clock())
        following.etag = ""
        del following.delegates[:]
        following.delegates.extend(each["platform"] for each in kept)
        event = Event.of(records.updated(following))
        fields = {**body_fields(following), "delegations": list(kept)}
        return Change(fields, [event], replay.answer(answer))
