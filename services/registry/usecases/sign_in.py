"""From a proof of who one is to a token: passwords, keys, refresh tokens, services' secrets."""

from collections.abc import Mapping

from services.chassis import names
from services.chassis.access import Principal
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, milliseconds, timestamp
from services.registry.domain.passwords import Passwords
from services.registry.domain.secret_tokens import (
    API_KEY,
    CALENDAR,
    REFRESH,
    SecretToken,
    same_secret,
)
from services.registry.store.accounts import Accounts, member, normalised
from services.registry.store.api_keys import ApiKeys, api_key
from services.registry.store.calendar_feeds import CalendarFeeds
from services.registry.store.organizations import Organizations
from services.registry.store.sessions import Sessions
from services.registry.usecases.attempts import Attempts
from services.registry.usecases.calendar_feeds import member_of
from services.registry.usecases.sign_up import SignUp
from services.registry.usecases.tokens import (
    Bearer,
    Tokens,
    calendar_bearer,
    key_bearer,
    member_bearer,
    service_bearer,
)
from spareline.market.v1.organization_pb2 import ApiKey, Member, Organization
from spareline.registry.v1.identity_service_pb2 import IssueTokenResponse, WhoAmIResponse

SESSION_MS = 30 * 86_400_000
TOUCH_MS = 60_000
TOUCH_FEED_MS = 3_600_000


class SignIn:
    """Issues tokens, and ends sessions."""

    def __init__(
        self,
        organizations: Organizations,
        accounts: Accounts,
        keys: ApiKeys,
        feeds: CalendarFeeds,
        sessions: Sessions,
        passwords: Passwords,
        tokens: Tokens,
        attempts: Attempts,
        sign_up: SignUp,
        service_secrets: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._organizations = organizations
        self._accounts = accounts
        self._keys = keys
        self._feeds = feeds
        self._sessions = sessions
        self._passwords = passwords
        self._tokens = tokens
        self._attempts = attempts
        self._sign_up = sign_up
        self._service_secrets = service_secrets
        self._clock = clock

    async def by_password(self, email: str, password: str, peer: str) -> IssueTokenResponse:
        """Raises Unauthenticated (CREDENTIALS_WRONG), ResourceExhausted (RATE_LIMITED)."""
        address = normalised(email)
        await self._attempts.admit(address, peer)
        account = await self._accounts.get(address)
        encoded = account["password"] if account else ""
        if not await self._passwords.verify(encoded, password) or account is None:
            await self._attempts.failed(peer)
            raise refusals.credentials_wrong()
        await self._attempts.succeeded(address)
        account = await self._sign_up.finish(account)
        person = member(account)
        organization = await self._organization(account["organization"])
        token = SecretToken.make(REFRESH, names.new_id())
        ends = self._clock() + SESSION_MS
        await self._sessions.begin(token.id, person.name, organization.name, token.digest(), ends)
        return self._for_member(person, organization, token)

    async def by_refresh_token(self, text: str) -> IssueTokenResponse:
        """Put a new refresh token in the place of the one given.

        One that was replaced before means that two have it, one of them a thief: that ends
        the session. Raises Unauthenticated (CREDENTIALS_WRONG), Aborted when the same token
        is being exchanged by another call at this moment.
        """
        given = SecretToken.read(REFRESH, text)
        session = await self._sessions.get(given.id) if given else None
        if given is None or session is None or session["expire_ms"] <= self._clock():
            raise refusals.credentials_wrong()
        if not given.fits(session["digest"]):
            await self._sessions.end(given.id)
            raise refusals.credentials_wrong()
        account = await self._accounts.by_name(session["member"])
        if account is None:
            await self._sessions.end(given.id)
            raise refusals.credentials_wrong()
        organization = await self._organization(account["organization"])
        following = SecretToken.make(REFRESH, given.id)
        ends = self._clock() + SESSION_MS
        if not await self._sessions.rotate(session, following.digest(), ends):
            raise refusals.conflict()
        return self._for_member(member(account), organization, following)

    async def by_api_key(self, text: str) -> IssueTokenResponse:
        """Raises Unauthenticated (CREDENTIALS_WRONG), also for a key that has run out."""
        given = SecretToken.read(API_KEY, text)
        document = await self._keys.by_id(given.id) if given else None
        now = self._clock()
        if given is None or document is None or not given.fits(document["digest"]):
            raise refusals.credentials_wrong()
        key = api_key(document)
        if key.HasField("expire_time") and milliseconds(key.expire_time) <= now:
            raise refusals.credentials_wrong()
        organization = await self._organization(document["organization"])
        if now - document["last_use_ms"] >= TOUCH_MS:
            await self._keys.touch(document, now)
        bearer = key_bearer(key.name, organization, list(key.scopes))
        return self._answer(bearer, _key_profile(bearer, key))

    async def by_calendar_feed(self, text: str) -> IssueTokenResponse:
        """Raises Unauthenticated (CREDENTIALS_WRONG), also for a member who has left."""
        given = SecretToken.read(CALENDAR, text)
        document = await self._feeds.by_id(given.id) if given else None
        if given is None or document is None or not given.fits(document["digest"]):
            raise refusals.credentials_wrong()
        account = await self._accounts.by_name(member_of(document["_id"]))
        if account is None:
            raise refusals.credentials_wrong()
        organization = await self._organization(account["organization"])
        now = self._clock()
        if now - document["last_use_ms"] >= TOUCH_FEED_MS:
            await self._feeds.touch(document, now)
        bearer = calendar_bearer(document["_id"], organization)
        profile = _profile(bearer, "")
        profile.language = member(account).language
        return self._answer(bearer, profile)

    async def by_service_secret(self, service: str, secret: str) -> IssueTokenResponse:
        """Raises Unauthenticated (CREDENTIALS_WRONG)."""
        if not same_secret(secret, self._service_secrets.get(service, "")):
            raise refusals.credentials_wrong()
        bearer = service_bearer(service)
        return self._answer(bearer, _profile(bearer, service))

    async def revoke(self, text: str) -> None:
        """End the session of a refresh token, if it is its current one."""
        given = SecretToken.read(REFRESH, text)
        session = await self._sessions.get(given.id) if given else None
        if given is not None and session is not None and given.fits(session["digest"]):
            await self._sessions.end(given.id)

    async def who_is(self, principal: Principal) -> WhoAmIResponse:
        """Return who the caller is, with name and language where they are known."""
        bearer = Bearer(
            principal.subject, principal.organization, principal.role, sorted(principal.scopes)
        )
        if principal.kind == "member":
            account = await self._accounts.by_name(principal.subject)
            return _member_profile(bearer, member(account)) if account else _profile(bearer, "")
        if principal.kind == "apiKey":
            document = await self._keys.get(principal.subject)
            return _key_profile(bearer, api_key(document)) if document else _profile(bearer, "")
        return _profile(bearer, principal.subject.partition("/")[2])

    async def _organization(self, name: str) -> Organization:
        organization = await self._organizations.get(name)
        if organization is None:
            raise refusals.credentials_wrong()
        return organization

    def _for_member(
        self, person: Member, organization: Organization, refresh: SecretToken
    ) -> IssueTokenResponse:
        bearer = member_bearer(person, organization, refresh.id)
        answer = self._answer(bearer, _member_profile(bearer, person))
        answer.refresh_token = refresh.text()
        return answer

    def _answer(self, bearer: Bearer, profile: WhoAmIResponse) -> IssueTokenResponse:
        token, ends = self._tokens.sign(bearer)
        return IssueTokenResponse(
            access_token=token, expire_time=timestamp(ends), principal=profile
        )


def _profile(bearer: Bearer, display_name: str) -> WhoAmIResponse:
    return WhoAmIResponse(
        subject=bearer.subject,
        organization=bearer.organization,
        role=bearer.role,
        scopes=bearer.scopes,
        display_name=display_name,
    )


def _member_profile(bearer: Bearer, person: Member) -> WhoAmIResponse:
    profile = _profile(bearer, person.display_name)
    profile.language = person.language
    profile.email = person.email
    return profile


def _key_profile(bearer: Bearer, key: ApiKey) -> WhoAmIResponse:
    return _profile(bearer, key.display_name)
