"""Who is signed in: the person in the session, and tokens that are renewed before they end."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass

from aiohttp import web
from aiohttp_session import get_session, new_session

from services.chassis.errors import DomainError, PermissionDenied, Unauthenticated
from services.gateway.clients import Caller, Services
from spareline.errors.v1 import reason_pb2
from spareline.registry.v1 import identity_service_pb2 as identity

SESSION_KEY = "person"
_RENEW_BEFORE_SECONDS = 60
_REMEMBERED_RENEWALS = 2048


@dataclass(frozen=True, slots=True)
class Person:
    """The person in the session. `expires` is in seconds since the epoch."""

    subject: str
    organization: str
    role: str
    display_name: str
    email: str
    language: str
    access_token: str
    refresh_token: str
    expires: float

    @property
    def may_trade(self) -> bool:
        """Whether this person may post and answer."""
        return self.role in {"owner", "trader", "operator"}

    @property
    def is_operator(self) -> bool:
        """Whether this person runs the market."""
        return self.role == "operator"


def from_token(answer: identity.IssueTokenResponse) -> Person:
    """Return the person that a token speaks for."""
    who = answer.principal
    return Person(
        subject=who.subject,
        organization=who.organization,
        role=who.role,
        display_name=who.display_name,
        email=who.email,
        language=who.language,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        expires=answer.expire_time.seconds,
    )


class Renewals:
    """Exchanges refresh tokens, once each: a page that loads in parts asks several times at once.

    A refresh token is replaced when used, and using a replaced one again ends the session; so
    requests that carry the same one share a single exchange and its answer.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: OrderedDict[str, asyncio.Task[Person]] = OrderedDict()

    async def renew(self, person: Person) -> Person:
        """Return the person with a fresh token. Raises DomainError when the session has ended."""
        key = person.refresh_token
        task = self._running.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(self._exchange(key))
            self._running[key] = task
            while len(self._running) > _REMEMBERED_RENEWALS:
                self._running.popitem(last=False)
        return await asyncio.shield(task)

    async def _exchange(self, refresh_token: str) -> Person:
        anonymous = Caller(self._services, "")
        return from_token(
            await anonymous.call(
                self._services.identity.IssueToken,
                identity.IssueTokenRequest(refresh_token=refresh_token),
            )
        )


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
RENEWALS: web.AppKey[Renewals] = web.AppKey("renewals", Renewals)
PERSON: web.RequestKey[Person | None] = web.RequestKey("person", Person)


async def remember(request: web.Request, person: Person) -> None:
    """Start a new session for the person; the old one, if any, is dropped with its contents."""
    session = await new_session(request)
    session[SESSION_KEY] = asdict(person)


async def load(request: web.Request) -> Person | None:
    """Return who is signed in, with a token that is good for a minute at least."""
    session = await get_session(request)
    stored = session.get(SESSION_KEY)
    if not stored:
        return None
    try:
        person = Person(**stored)
    except TypeError:  # a session from before an update of the gateway
        session.pop(SESSION_KEY, None)
        return None
    if person.expires - time.time() > _RENEW_BEFORE_SECONDS:
        return person
    try:
        person = await request.app[RENEWALS].renew(person)
    except Unauthenticated:
        session.pop(SESSION_KEY, None)
        return None
    session[SESSION_KEY] = asdict(person)
    return person


async def forget(request: web.Request) -> None:
    """Sign out: end the refresh token and empty the session."""
    session = await get_session(request)
    stored = session.get(SESSION_KEY)
    session.invalidate()
    if stored and stored.get("refresh_token"):
        services = request.app[SERVICES]
        try:
            await Caller(services, "").call(
                services.identity.RevokeToken,
                identity.RevokeTokenRequest(refresh_token=stored["refresh_token"]),
            )
        except DomainError:
            return  # the cookie is gone either way; the token ends by itself


def caller(request: web.Request) -> Caller:
    """Return what makes calls in the name of whoever sent the request."""
    person = request.get(PERSON)
    return Caller(request.app[SERVICES], person.access_token if person else "")


def visitor(request: web.Request) -> Caller:
    """Return what makes calls in nobody's name, telling where the request came from."""
    return Caller(request.app[SERVICES], "", address=request.remote or "")


def signed_in(request: web.Request) -> Person:
    """Return the person, or send the browser to the sign-in page and back afterwards."""
    person: Person | None = request.get(PERSON)
    if person is None:
        target = request.rel_url.path_qs if request.method == "GET" else "/"
        raise web.HTTPSeeOther(str(request.app.router["signin"].url_for().with_query(next=target)))
    return person


def operating(request: web.Request) -> Person:
    """Return the person who runs the market. Raises PermissionDenied for everybody else."""
    person = signed_in(request)
    if not person.is_operator:
        raise PermissionDenied(
            reason_pb2.REASON_ROLE_MISSING, "This page is for those who run the market."
        )
    return person
