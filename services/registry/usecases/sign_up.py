"""Signing up: an account and its organization, by single writes that a crash may part.

The account is written first, with the organization's record inside (``founding``): from
then on the address is taken, and whoever comes next (a retry, a sign-in, the next start)
can end what was begun. Then the organization is stored, then ``founding`` is cleared.
"""

from services.chassis import names
from services.chassis.aggregates import Answer, Document, Event
from services.chassis.causes import said
from services.chassis.errors import AlreadyExists
from services.registry.domain import organizations as records
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.domain.passwords import Passwords
from services.registry.store.accounts import Accounts, account_fields, member
from services.registry.store.organizations import Organizations, record
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import Member, Organization
from spareline.registry.v1.identity_service_pb2 import SignUpRequest, SignUpResponse

_ATTEMPTS = 5


class SignUp:
    """Registers organizations with their first owner."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: Accounts,
        passwords: Passwords,
        clock: Clock,
    ) -> None:
        self._organizations = organizations
        self._accounts = accounts
        self._passwords = passwords
        self._clock = clock

    async def __call__(self, request: SignUpRequest) -> SignUpResponse:
        """Register the organization.

        Raises AlreadyExists (EMAIL_TAKEN, ALREADY_EXISTS for a wanted id), InvalidArgument.
        """
        kind = records.kind_of(request.organization, records.SIGN_UP_KINDS)
        return await self._register(request, kind)

    async def ensure_operator(
        self, email: str, password: str, *, display_name: str = "Operator", region: str = "CN-SH"
    ) -> None:
        """Create the operators' organization and its owner when there is none yet."""
        if await self._organizations.document(records.OPERATOR) is not None:
            return
        request = SignUpRequest(
            organization_id=records.OPERATOR.partition("/")[2],
            organization=Organization(display_name=display_name, region=region),
            email=email,
            person=display_name,
            password=password,
        )
        await self._register(request, Organization.KIND_OPERATOR)

    async def finish_all(self) -> None:
        """End every sign-up that a crash has cut off."""
        for account in await self._accounts.founding():
            await self.finish(account)

    async def finish(self, account: Document) -> Document:
        """Store the organization that an account is founding; return the account as it is then."""
        if account["founding"]:
            await self._found(account)
            return await self._accounts.get(account["_id"]) or account
        return account

    async def _register(
        self, request: SignUpRequest, kind: "Organization.Kind.ValueType"
    ) -> SignUpResponse:
        replay = Replay.of(request, "password")
        earlier = await self._accounts.get(request.email)
        if earlier is None:
            account = await self._claim_address(request, kind, replay)
        else:
            answered = replay.stored(earlier, SignUpResponse)
            if answered is not None:
                return answered
            account = await self._continued(request, replay, earlier)
        return await self._found(account, exact=bool(request.organization_id))

    async def _continued(
        self, request: SignUpRequest, replay: Replay, earlier: Document
    ) -> Document:
        """Go on with the same sign-up that was cut off; end another one and refuse this.

        It is ended and not replaced, for it may be under way at this very moment.
        """
        if not earlier["founding"] or earlier["content"] != replay.digest:
            await self.finish(earlier)
            raise _email_taken()
        hashed = await self._passwords.hash(request.password)
        if not await self._accounts.put(request.email, {"password": hashed}, earlier):
            raise refusals.conflict()
        return await self._present(request.email)

    async def _claim_address(
        self, request: SignUpRequest, kind: "Organization.Kind.ValueType", replay: Replay
    ) -> Document:
        """Write the account; from then on the address is taken. Return it."""
        name, now = await self._free_name(request), self._clock()
        person = Member(
            name=f"{name}/members/{names.new_id()}",
            email=request.email.strip(),
            display_name=request.person,
            role=Member.ROLE_OWNER,
            language=request.language,
            create_time=timestamp(now),
        )
        password = await self._passwords.hash(request.password)
        fields = account_fields(person, name, password, now) | {
            "founding": records.begin(request.organization, name, kind, now).SerializeToString(),
            "unfinished": True,
            "content": replay.digest,
            "request_id": replay.request_id,
        }
        if await self._accounts.insert(request.email, fields):
            return await self._present(request.email)
        # Somebody signs up with this address at this very moment; perhaps a repeat of us.
        present = await self._present(request.email)
        if present["content"] != replay.digest:
            raise _email_taken()
        return present

    async def _free_name(self, request: SignUpRequest) -> str:
        """Return a name for the organization that nobody has. Raises AlreadyExists."""
        wanted, shown = request.organization_id, request.organization.display_name
        for identity in records.candidates(wanted, shown, names.new_id()):
            name = f"organizations/{identity}"
            if await self._organizations.document(name) is None:
                return name
        raise _name_taken(f"organizations/{wanted}")

    async def _present(self, email: str) -> Document:
        account = await self._accounts.get(email)
        if account is None:
            raise refusals.conflict()
        return account

    async def _found(self, account: Document, *, exact: bool = False) -> SignUpResponse:
        """Store the organization of an account (unless it is), and clear ``founding``."""
        for _ in range(_ATTEMPTS):
            if not account["founding"]:
                break
            organization = Organization.FromString(account["founding"])
            if not await self._insert(organization, account["name"]):
                if exact:
                    await self._accounts.delete(account["name"])
                    raise _name_taken(organization.name)
                account = await self._renamed(account, organization)
                continue
            stored = await self._organizations.document(organization.name)
            if stored is None:
                raise refusals.not_found(organization.name)
            owner = member(account)
            owner.etag = f'"{account["revision"] + 1}"'
            response = SignUpResponse(organization=record(stored), member=owner)
            answer = Answer(account["request_id"], account["content"], response.SerializeToString())
            if await self._accounts.founded(account, answer):
                return response
            account = await self._accounts.get(account["_id"]) or account
        found = await self._organizations.document(account["organization"])
        if account["founding"] or found is None:
            raise refusals.conflict()
        return SignUpResponse(organization=record(found), member=member(account))

    async def _insert(self, organization: Organization, owner: str) -> bool:
        """Store the organization; True as well when this owner's is stored already."""
        events = [Event.of(records.registered(organization))]
        if await self._organizations.insert(organization, owners=[owner], events=events):
            return True
        document = await self._organizations.document(organization.name)
        return document is not None and owner in document["owners"]

    async def _renamed(self, account: Document, organization: Organization) -> Document:
        """Give the organization another name: somebody took this one after we had looked."""
        identity = organization.name.partition("/")[2][:40]
        organization.name = f"organizations/{identity}-{names.new_id()[:6]}"
        person = Member.FromString(account["body"])
        person.name = f"{organization.name}/members/{names.new_id()}"
        fields = {
            "name": person.name,
            "organization": organization.name,
            "body": person.SerializeToString(),
            "founding": organization.SerializeToString(),
        }
        await self._accounts.put(account["_id"], fields, account)
        return await self._present(account["_id"])


def _email_taken() -> AlreadyExists:
    return AlreadyExists(reason_pb2.REASON_EMAIL_TAKEN, said(cause_pb2.CAUSE_EMAIL_TAKEN))


def _name_taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        reason_pb2.REASON_ALREADY_EXISTS, said(cause_pb2.CAUSE_NAME_TAKEN, name=name)
    )
