"""Erasing an organization: refused while a claim stands, then all that is personal goes.

The record is emptied first, in one write with its event; from then on the organization does
not exist for anyone. What hangs on it is deleted after, and the next start ends what a
crash has cut off.
"""

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import Principal
from services.chassis.aggregates import Document, Event
from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from services.registry.domain import organizations as records
from services.registry.domain import refusals
from services.registry.domain.instants import Clock
from services.registry.store.accounts import Accounts
from services.registry.store.api_keys import ApiKeys
from services.registry.store.audit import AuditLog
from services.registry.store.calendar_feeds import CalendarFeeds
from services.registry.store.changes import Change
from services.registry.store.credit import CreditAccounts
from services.registry.store.drafts import Drafts
from services.registry.store.import_files import ImportFiles
from services.registry.store.mail import Mail
from services.registry.store.organizations import (
    ACTIVE,
    ERASED,
    ERASING,
    Organizations,
    body_fields,
    record,
)
from services.registry.store.sessions import Sessions
from services.registry.store.webhooks import Webhooks
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.neighbours import OpenCommitments, WithdrawPostings
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.registry.v1.registry_service_pb2 import EraseOrganizationRequest


class Erasure:
    """Erases organizations."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: Accounts,
        sessions: Sessions,
        keys: ApiKeys,
        credit: CreditAccounts,
        drafts: Drafts,
        imports: ImportFiles,
        webhooks: Webhooks,
        mail: Mail,
        feeds: CalendarFeeds,
        audit: AuditLog,
        open_commitments: OpenCommitments,
        withdraw_postings: WithdrawPostings,
        clock: Clock,
    ) -> None:
        self._organizations = organizations
        self._accounts = accounts
        self._sessions = sessions
        self._keys = keys
        self._credit = credit
        self._drafts = drafts
        self._imports = imports
        self._webhooks = webhooks
        self._mail = mail
        self._feeds = feeds
        self._audit = audit
        self._open_commitments = open_commitments
        self._withdraw_postings = withdraw_postings
        self._clock = clock

    async def __call__(self, principal: Principal, request: EraseOrganizationRequest) -> None:
        """Erase the organization. A repeat with the same request id does no harm.

        Raises FailedPrecondition (COMMITMENTS_REMAIN), PermissionDenied, NotFound.
        """
        name = records.require_name(request.name)
        replay = Replay.of(request)
        document = await self._organizations.document(name)
        if replay.stored(document, Empty) is None:
            await require_owner_of(self._organizations, principal, name, managed=True)
            if name == records.OPERATOR:
                raise refusals.forbidden(said(cause_pb2.CAUSE_OPERATORS_STAY))
            await self._withdraw(name)
            await self._empty(name, replay)
        elif principal.organization not in (name, (document or {}).get("managed_by")):
            raise refusals.forbidden(said(cause_pb2.CAUSE_OWNERS_ONLY))
        await self._clean(name)

    async def finish_all(self) -> None:
        """End every erasure that a crash has cut off."""
        for name in await self._organizations.being_erased():
            await self._clean(name)

    async def _withdraw(self, name: str) -> None:
        await self._require_none_open(name)
        await self._withdraw_postings(name)
        # A claim may have been put on a posting before it was withdrawn.
        await self._require_none_open(name)

    async def _require_none_open(self, name: str) -> None:
        count = await self._open_commitments(name)
        if count:
            raise FailedPrecondition(
                reason_pb2.REASON_COMMITMENTS_REMAIN,
                said(cause_pb2.CAUSE_COMMITMENTS_REMAIN),
                metadata={"claims": str(count)},
            )

    async def _empty(self, name: str, replay: Replay) -> None:
        def decide(document: Document) -> Change | None:
            if document["state"] != ACTIVE:
                return None
            ended = records.end(record(document), self._clock())
            fields = {
                **body_fields(ended),
                "state": ERASING,
                "owners": [],
                "delegations": [],
            }
            return Change(fields, [Event.of(records.erased(ended))], replay.answer())

        await self._organizations.change(name, decide)

    async def _clean(self, name: str) -> None:
        await self._sessions.end_organization(name)
        await self._keys.delete_all(name)
        await self._accounts.delete_all(name)
        await self._credit.delete(name)
        await self._webhooks.delete_all(name)
        await self._mail.delete_below(name)
        await self._feeds.delete_below(name)
        await self._drafts.delete_all(name)
        await self._imports.delete_all(name)
        await self._audit.delete_all(name)

        def decide(document: Document) -> Change | None:
            erasing = document["state"] == ERASING
            # Earlier answers hold what the record was.
            kept = [each for each in document["requests"] if not each["answer"]]
            return Change({"state": ERASED, "requests": kept}) if erasing else None

        await self._organizations.change(name, decide)
