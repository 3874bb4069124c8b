"""Calendar feeds: one for each member, read by whoever knows its secret."""

from services.chassis import names
from services.chassis.access import Principal
from services.chassis.aggregates import Document
from services.chassis.causes import said
from services.registry.domain import refusals
from services.registry.domain.instants import Clock, timestamp
from services.registry.domain.secret_tokens import CALENDAR, SecretToken
from services.registry.store.calendar_feeds import CalendarFeeds as Store
from services.registry.store.changes import ATTEMPTS
from services.registry.usecases.replay import Replay
from spareline.errors.v1 import cause_pb2
from spareline.registry.v1 import calendar_service_pb2 as api
from spareline.registry.v1.calendar_service_pb2 import CalendarFeed

PATTERN = "organizations/{organization}/members/{member}/calendarFeed"


class CalendarFeeds:
    """Makes, shows and ends the caller's own feed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, principal: Principal, name: str) -> CalendarFeed:
        """Return the feed; without a time of making when there is none.

        Raises PermissionDenied for another's.
        """
        _own(principal, name)
        document = await self._store.get(name)
        return CalendarFeed(name=name) if document is None else _shown(document)

    async def rotate(
        self, principal: Principal, request: api.RotateCalendarFeedRequest
    ) -> api.RotateCalendarFeedResponse:
        """Make a new secret, which ends the one before. Raises PermissionDenied, Aborted."""
        _own(principal, request.name)
        replay = Replay.of(request)
        for _ in range(ATTEMPTS):
            document = await self._store.get(request.name)
            if (stored := replay.stored(document, CalendarFeed)) is not None:
                return api.RotateCalendarFeedResponse(calendar_feed=stored)
            token = SecretToken.make(CALENDAR, names.new_id())
            fields: Document = {
                "key": token.id,
                "digest": token.digest(),
                "create_ms": self._clock(),
                "last_use_ms": 0,
            }
            after = _shown({"_id": request.name, **fields})
            if await self._store.put(request.name, document, fields, replay.answer(after)):
                return api.RotateCalendarFeedResponse(calendar_feed=after, secret=token.text())
        raise refusals.conflict()

    async def delete(self, principal: Principal, name: str) -> None:
        """End the feed. Raises PermissionDenied."""
        _own(principal, name)
        await self._store.delete(name)


def member_of(name: str) -> str:
    """Return the member whose feed it is."""
    return name.removesuffix("/calendarFeed")


def _own(principal: Principal, name: str) -> None:
    names.parse(PATTERN, name)
    if principal.kind != "member" or principal.subject != member_of(name):
        raise refusals.forbidden(said(cause_pb2.CAUSE_OWN_CALENDAR_ONLY))


def _shown(document: Document) -> CalendarFeed:
    feed = CalendarFeed(name=document["_id"], create_time=timestamp(document["create_ms"]))
    if document["last_use_ms"]:
        feed.last_use_time.CopyFrom(timestamp(document["last_use_ms"]))
    return feed
