"""What differs between offers and demands, so that all else is written once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from services.chassis.aggregates import Document, Event
from services.registry import convert
from services.registry.domain import demands, offers
from services.registry.domain.faults import Fault
from services.registry.domain.instants import timestamp
from services.registry.domain.ledger import Account, Refusal, Side
from services.registry.domain.taxonomy import Taxonomy
from spareline.errors.v1 import reason_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

M = TypeVar("M", Offer, Demand)


@dataclass(frozen=True, slots=True)
class Kind(Generic[M]):
    """One kind of posting: its message, its rules, its ledger side and its events."""

    noun: Side
    message: type[M]
    pattern: str
    changeable: Sequence[str]
    faults: Callable[[M, str, Taxonomy, str], list[Fault]]
    limits: Callable[[M], dict[str, int]]
    read: Callable[[Document, Account | None], M]
    account: Callable[[Document, M | None], Account]
    events: dict[str, Callable[..., Message]]

    def content(self, document: Document) -> M:
        """Return what was posted, without what the registry adds."""
        content = self.message()
        content.ParseFromString(document["body"])
        return content

    def event(self, happened: str, posting: M, now_ms: int) -> Event:
        """Return the event (posted, updated, withdrawn, expired, balanced) of a posting."""
        fields: dict[str, Any] = {self.noun: posting, "time": timestamp(now_ms)}
        return Event.of(self.events[happened](**fields))

    def state_after(self, state: str, account: Account) -> str:
        """Return the state that follows from the balances: a demand may become matched."""
        if self.noun == "offer" or state not in ("STATE_OPEN", "STATE_MATCHED"):
            return state
        return "STATE_MATCHED" if account.full() else "STATE_OPEN"

    def limit_field(self, cell: str, posting: M) -> str:
        """Return the path of the field that limits a cell, in an update of the posting."""
        if isinstance(posting, Offer):
            cells = [each.period for each in posting.capacity]
            return (
                f"offer.capacity[{cells.index(cell)}].quantity"
                if cell in cells
                else ("offer.capacity")
            )
        ids = [line.id for line in posting.lines]
        return f"demand.lines[{ids.index(cell)}].quantity" if cell in ids else "demand.lines"


def unknown(name: str) -> Refusal:
    """Return the refusal of a claim on a posting that is not there."""
    return Refusal(reason_pb2.REASON_NOT_FOUND, f"There is no {name}")


OFFERS: Kind[Offer] = Kind(
    noun="offer",
    message=Offer,
    pattern="organizations/{organization}/offers/{offer}",
    changeable=offers.CHANGEABLE,
    faults=offers.faults,
    limits=offers.limits,
    read=convert.offer,
    account=convert.offer_account,
    events={
        "posted": events_pb2.OfferPosted,
        "updated": events_pb2.OfferUpdated,
        "withdrawn": events_pb2.OfferWithdrawn,
        "expired": events_pb2.OfferExpired,
        "balanced": events_pb2.OfferBalanced,
    },
)

DEMANDS: Kind[Demand] = Kind(
    noun="demand",
    message=Demand,
    pattern="organizations/{organization}/demands/{demand}",
    changeable=demands.CHANGEABLE,
    faults=demands.faults,
    limits=demands.limits,
    read=convert.demand,
    account=convert.demand_account,
    events={
        "posted": events_pb2.DemandPosted,
        "updated": events_pb2.DemandUpdated,
        "withdrawn": events_pb2.DemandWithdrawn,
        "expired": events_pb2.DemandExpired,
        "balanced": events_pb2.DemandBalanced,
    },
)
