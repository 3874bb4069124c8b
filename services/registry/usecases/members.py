"""The people of an organization. Its document keeps who the owners are, so that one stays."""

from google.protobuf.empty_pb2 import Empty

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Answer, Document
from services.chassis.causes import said
from services.chassis.errors import AlreadyExists
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.domain.passwords import Passwords
from services.registry.store.accounts import Accounts, account_fields, member
from services.registry.store.audit import AuditLog
from services.registry.store.calendar_feeds import CalendarFeeds
from services.registry.store.changes import Change
from services.registry.store.drafts import Drafts
from services.registry.store.mail import Mail
from services.registry.store.organizations import ACTIVE, Organizations
from services.registry.store.sessions import Sessions
from services.registry.usecases import mail_news, pages
from services.registry.usecases.authority import require_owner_of
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import Member
from spareline.registry.v1 import identity_service_pb2 as api

PATTERN = "organizations/{organization}/members/{member}"
_MUTABLE = ("role", "display_name", "language")


class Members:
    """Adds, lists, changes and removes people."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: Accounts,
        sessions: Sessions,
        drafts: Drafts,
        mail: Mail,
        feeds: CalendarFeeds,
        passwords: Passwords,
        audit: AuditLog,
        clock: Clock,
        *,
        writes_mail: bool = False,
    ) -> None:
        """``writes_mail``: whether a server takes mail, so that invitations are told."""
        self._organizations = organizations
        self._accounts = accounts
        self._sessions = sessions
        self._drafts = drafts
        self._mail = mail
        self._feeds = feeds
        self._passwords = passwords
        self._audit = audit
        self._clock = clock
        self._writes_mail = writes_mail

    async def create(self, principal: Principal, request: api.CreateMemberRequest) -> Member:
        """Add a person. Raises AlreadyExists (EMAIL_TAKEN), PermissionDenied, NotFound."""
        parent = request.parent
        await require_owner_of(self._organizations, principal, parent)
        if await self._organizations.get(parent) is None:
            raise refusals.not_found(parent)
        replay = Replay.of(request, "password")
        name = f"{parent}/members/{names.derived_id(parent, request.request_id)}"
        person = Member()
        person.CopyFrom(request.member)
        person.name, person.email, person.etag = name, request.member.email.strip(), ""
        person.create_time.CopyFrom(timestamp(self._clock()))
        answered = replay.stored(await self._accounts.get(person.email), Member)
        if answered is None:
            if self._writes_mail:  # before the person is there: a crash between loses no mail
                await mail_news.invited(self._mail, self._accounts, person, self._clock())
            answered = await self._insert(person, parent, request.password, replay)
        if answered.role == Member.ROLE_OWNER:
            await self._set_owner(parent, answered.name, owner=True)
        return answered

    async def _insert(self, person: Member, parent: str, password: str, replay: Replay) -> Member:
        hashed = await self._passwords.hash(password)
        fields = account_fields(person, parent, hashed, self._clock())
        answered = Member()
        answered.CopyFrom(person)
        answered.etag = '"1"'
        if await self._accounts.insert(person.email, fields, replay.answer(answered)):
            return answered
        repeated = replay.stored(await self._accounts.get(person.email), Member)
        if repeated is None:
            raise AlreadyExists(reason_pb2.REASON_EMAIL_TAKEN, said(cause_pb2.CAUSE_EMAIL_TAKEN))
        return repeated

    async def list(
        self, principal: Principal, request: api.ListMembersRequest
    ) -> api.ListMembersResponse:
        """Return a page of members, the oldest first."""
        await require_owner_of(self._organizations, principal, request.parent, operator=True)
        self._note_reading(principal, request.parent)
        documents = await self._accounts.of_organization(request.parent)
        items = [(document["name"], member(document)) for document in documents]
        page, following = pages.cut(request, items)
        return api.ListMembersResponse(members=page, next_page_token=following)

    async def update(self, principal: Principal, request: api.UpdateMemberRequest) -> Member:
        """Change role, name or language.

        Raises FailedPrecondition (LAST_OWNER), InvalidArgument naming a path that cannot
        be changed, Aborted (ETAG_MISMATCH), NotFound.
        """
        name = request.member.name
        parent = _parent(name, "member.name")
        await require_owner_of(self._organizations, principal, parent)
        paths = _paths(request)
        account = await self._present(name)
        replay = Replay.of(request)
        answered = replay.stored(account, Member)
        if answered is not None:
            if answered.role == Member.ROLE_OWNER:  # a crash may have come before this
                await self._set_owner(parent, name, owner=True)
            return answered
        _require_etag(request.member.etag, account)
        changes_role = "role" in paths and request.member.role != member(account).role
        owner = request.member.role == Member.ROLE_OWNER
        if changes_role and not owner:
            # Before the account: an owner in the list must be one in truth.
            await self._set_owner(parent, name, owner=False)
        written: list[Member] = []

        def decide(document: Document) -> Change:
            _require_etag(request.member.etag, document)
            following = member(document)
            for path in paths:
                setattr(following, path, getattr(request.member, path))
            following.etag = ""
            body = following.SerializeToString()
            following.etag = f'"{document["revision"] + 1}"'
            written[:] = [following]
            return Change({"body": body}, answer=replay.answer(following))

        await self._accounts.change(account["_id"], decide)
        if changes_role and owner:
            await self._set_owner(parent, name, owner=True)
        return written[0]

    async def delete(self, principal: Principal, request: api.DeleteMemberRequest) -> None:
        """Remove a person and end their sessions. Raises FailedPrecondition (LAST_OWNER)."""
        parent = _parent(request.name, "name")
        await require_owner_of(self._organizations, principal, parent)
        replay = Replay.of(request)
        account = await self._accounts.by_name(request.name)
        repeated = replay.stored(await self._organizations.document(parent), Empty) is not None
        if not repeated:
            if account is None:
                raise refusals.not_found(request.name)
            _require_etag(request.etag, account)
            await self._set_owner(parent, request.name, owner=False, answer=replay.answer())
        await self._accounts.delete(request.name)
        await self._sessions.end_all(request.name)
        await self._drafts.delete_of_member(request.name)
        await self._mail.delete_below(request.name)
        await self._feeds.delete_below(request.name)

    async def change_password(
        self, principal: Principal, request: api.ChangePasswordRequest, session: str
    ) -> None:
        """Change the caller's own password and end all their sessions but the given one.

        Raises Unauthenticated (CREDENTIALS_WRONG) when the present one is not right.
        """
        if principal.kind != "member":
            raise refusals.role_missing(said(cause_pb2.CAUSE_PASSWORD_OF_A_PERSON))
        account = await self._present(principal.subject)
        replay = Replay.of(request, "current_password", "new_password")
        if replay.stored(account, Empty) is not None:
            await self._sessions.end_all(principal.subject, but=session)
            return
        if not await self._passwords.verify(account["password"], request.current_password):
            raise refusals.credentials_wrong()
        hashed = await self._passwords.hash(request.new_password)
        verified = account["password"]

        def decide(document: Document) -> Change:
            if document["password"] != verified:
                raise refusals.conflict()
            return Change({"password": hashed}, answer=replay.answer())

        await self._accounts.change(account["_id"], decide)
        await self._sessions.end_all(principal.subject, but=session)

    async def _present(self, name: str) -> Document:
        account = await self._accounts.by_name(name)
        if account is None:
            raise refusals.not_found(name)
        return account

    async def _set_owner(
        self, parent: str, name: str, *, owner: bool, answer: Answer | None = None
    ) -> None:
        def decide(document: Document) -> Change | None:
            if document["state"] != ACTIVE:
                raise refusals.not_found(parent)
            owners = [each for each in document["owners"] if each != name]
            if owner:
                owners.append(name)
            elif not owners:
                raise refusals.last_owner()
            if sorted(owners) == sorted(document["owners"]) and answer is None:
                return None
            return Change({"owners": owners}, answer=answer)

        await self._organizations.change(parent, decide)

    def _note_reading(self, principal: Principal, parent: str) -> None:
        if principal.organization != parent:
            subject, acting = principal.subject, principal.organization
            self._audit.record(parent, subject, acting, "read", f"{parent}/members", ("email",))


def _parent(name: str, field: str) -> str:
    return f"organizations/{names.parse(PATTERN, name, field=field)['organization']}"


def _paths(request: api.UpdateMemberRequest) -> tuple[str, ...]:
    given = tuple(request.update_mask.paths)
    for path in given:
        if path not in _MUTABLE:
            raise refusals.field_invalid(
                f"member.{path}",
                said(cause_pb2.CAUSE_FIELD_FIXED, path=path, changeable=", ".join(_MUTABLE)),
            )
    return given or tuple(path for path in _MUTABLE if getattr(request.member, path))


def _require_etag(given: str, document: Document) -> None:
    if given and given != f'"{document["revision"]}"':
        raise refusals.etag_mismatch()
