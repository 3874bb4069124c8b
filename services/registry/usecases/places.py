"""Keeping the filter by region right when an organization moves."""

from google.protobuf.message import DecodeError

from services.chassis.events import Delivery, Poison
from services.registry import posting_documents
from services.registry.store.postings import Postings as Store
from spareline.events.v1 import events_pb2

DURABLE = "registry-places"
SUBJECTS = ("market.organization.updated.v1",)


class Places:
    """Notes on all postings of an organization where it is now."""

    def __init__(self, offers: Store, demands: Store) -> None:
        self._stores = (offers, demands)

    async def follow(self, delivery: Delivery) -> None:
        """Handle one event of the stream. Raises Poison when it cannot be read."""
        try:
            event = events_pb2.OrganizationUpdated.FromString(delivery.payload)
        except DecodeError as error:
            raise Poison(f"not an event of {delivery.subject}") from error
        places = posting_documents.places(event.organization.region)
        for store in self._stores:
            await store.relocate(event.organization.name, places)
