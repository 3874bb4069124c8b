"""CalendarService over gRPC."""

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import current
from services.registry.grpc_api.callers import Context
from services.registry.usecases.calendar_feeds import CalendarFeeds
from spareline.registry.v1 import calendar_service_pb2 as api
from spareline.registry.v1.calendar_service_pb2_grpc import CalendarServiceServicer


class CalendarServicer(CalendarServiceServicer):
    """Hands each request to the use case."""

    def __init__(self, feeds: CalendarFeeds) -> None:
        self._feeds = feeds

    async def GetCalendarFeed(
        self, request: api.GetCalendarFeedRequest, _context: Context
    ) -> api.CalendarFeed:
        """Read the caller's feed."""
        return await self._feeds.get(current(), request.name)

    async def RotateCalendarFeed(
        self, request: api.RotateCalendarFeedRequest, _context: Context
    ) -> api.RotateCalendarFeedResponse:
        """Make the caller's feed, or a new secret for it."""
        return await self._feeds.rotate(current(), request)

    async def DeleteCalendarFeed(
        self, request: api.DeleteCalendarFeedRequest, _context: Context
    ) -> Empty:
        """End the caller's feed."""
        await self._feeds.delete(current(), request.name)
        return Empty()
