"""Organizations: brought by a platform, read as far as the reader may, listed and changed."""

from services.chassis import names, paging
from services.chassis.access import Principal, require_organization
from services.chassis.aggregates import Document, Event
from services.chassis.causes import said
from services.chassis.errors import AlreadyExists
from services.registry.domain import organization_update as updates
from services.registry.domain import organizations as records
from services.registry.domain import refusals
from services.registry.domain.instants import Clock
from services.registry.store.audit import AuditLog
from services.registry.store.changes import Change
from services.registry.store.organizations import ACTIVE, Organizations, body_fields, record
from services.registry.usecases import delegations
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.neighbours import Relations
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import registry_service_pb2 as api


class OrganizationCalls:
    """What can be asked about organizations themselves."""

    def __init__(
        self, organizations: Organizations, audit: AuditLog, relations: Relations, clock: Clock
    ) -> None:
        self._organizations = organizations
        self._audit = audit
        self._relations = relations
        self._clock = clock

    async def create(
        self, principal: Principal, request: api.CreateOrganizationRequest
    ) -> Organization:
        """Register an organization that the caller's platform then acts for and manages.

        Raises PermissionDenied (ROLE_MISSING) for callers of other organizations,
        AlreadyExists for a wanted id that is taken, InvalidArgument.
        """
        platform = principal.organization
        await self._require_platform(principal)
        kind = records.kind_of(request.organization, records.MANAGED_KINDS)
        replay = Replay.of(request)
        key = names.derived_id(platform, request.request_id)
        now = self._clock()
        shown = request.organization.display_name
        agreement = delegations.agreement(platform, request.evidence, key, now)
        for identity in records.candidates(request.organization_id, shown, key):
            name = f"organizations/{identity}"
            made = records.begin(request.organization, name, kind, now)
            made.delegates.append(platform)
            events = [Event.of(records.registered(made))]
            made.etag = records.etag(made)
            if await self._organizations.insert(
                made,
                managed_by=platform,
                delegations=[agreement],
                events=events,
                answer=replay.answer(made),
            ):
                return made
            present = await self._organizations.document(name)
            if present is not None and present["managed_by"] == platform:
                answered = replay.stored(present, Organization)
                if answered is not None:
                    return answered
        raise AlreadyExists(
            reason_pb2.REASON_ALREADY_EXISTS,
            said(cause_pb2.CAUSE_NAME_TAKEN, name=f"organizations/{request.organization_id}"),
        )

    async def _require_platform(self, principal: Principal) -> None:
        if principal.role == "operator":
            return
        own = await self._organizations.get(principal.organization)
        if own is None or own.kind != Organization.KIND_PLATFORM:
            raise refusals.role_missing(said(cause_pb2.CAUSE_PLATFORMS_REGISTER))

    async def get(self, principal: Principal, name: str) -> Organization:
        """Return an organization as far as the caller may see it, and note what is not public."""
        records.require_name(name)
        found = await self._organizations.get(name)
        if found is None:
            raise refusals.not_found(name)
        if principal.role == "service" or principal.organization == name:
            return found
        if principal.role == "operator" or principal.organization in found.delegates:
            self._note_reading(principal, name, ("contact",))
            return found
        relation = await self._relations(principal.organization, name)
        seen, disclosed = records.visible(found, relation)
        if disclosed:
            self._note_reading(principal, name, tuple(disclosed))
        return seen

    async def list(
        self, principal: Principal, request: api.ListOrganizationsRequest
    ) -> api.ListOrganizationsResponse:
        """Return a page, by name, of those that the caller acts for; operators see all."""
        asked = paging.Page.of(request, reader=principal.organization)
        after, size = asked.start.get("after", ""), asked.size
        if principal.role in ("operator", "service"):
            found = await self._organizations.page(after, size + 1)
        else:
            own = principal.organization
            found = await self._organizations.page(after, size + 1, delegate=own)
            itself = await self._organizations.get(own)
            if itself is not None and own > after:
                found = sorted([*found, itself], key=lambda each: each.name)
        more = len(found) > size
        page = found[:size]
        token = asked.following(after=page[-1].name) if more else ""
        return api.ListOrganizationsResponse(organizations=page, next_page_token=token)

    async def update(
        self, principal: Principal, request: api.UpdateOrganizationRequest
    ) -> Organization:
        """Change an organization.

        Its owners change what is its own, operators how far its papers were checked; for
        an organization that a platform brought, that platform. Raises InvalidArgument
        naming a path that cannot be changed, Aborted (ETAG_MISMATCH), PermissionDenied.
        """
        given = request.organization
        name = records.require_name(given.name, field="organization.name")
        operator = principal.role == "operator"
        mask = list(request.update_mask.paths)
        paths = updates.paths_to_change(given, mask, operator=operator)
        if not (operator and set(paths) <= set(updates.BY_OPERATORS)):
            await self._require_owner(principal, name)
        replay = Replay.of(request)
        answered: list[Organization] = []

        def decide(document: Document) -> Change | None:
            repeated = replay.stored(document, Organization)
            if repeated is not None:
                answered[:] = [repeated]
                return None
            if document["state"] != ACTIVE:
                raise refusals.not_found(name)
            present = record(document)
            if given.etag and given.etag != present.etag:
                raise refusals.etag_mismatch()
            following = records.changed(present, self._clock())
            updates.apply(following, given, paths)
            following.etag = ""
            event = Event.of(records.updated(following))
            fields = body_fields(following)
            following.etag = records.etag(following)
            answered[:] = [following]
            return Change(fields, [event], replay.answer(following))

        await self._organizations.change(name, decide)
        return answered[0]

    async def _require_owner(self, principal: Principal, name: str) -> None:
        if principal.role not in ("owner", "operator"):
            raise refusals.role_missing(said(cause_pb2.CAUSE_NEEDS_ROLE, roles="operator, owner"))
        await require_organization(
            principal, name, write=True, delegations=self._organizations.is_delegate
        )
        await require_owner_of(self._organizations, principal, name, managed=True)

    def _note_reading(self, principal: Principal, name: str, fields: "tuple[str, ...]") -> None:
        self._audit.record(name, principal.subject, principal.organization, "read", name, fields)
