"""Entries of documents: what anyone may know of an open posting."""

from collections.abc import Sequence

from services.chassis.aggregates import Document
from services.registry import convert, posting_documents
from services.registry.domain import market_entries
from services.registry.domain.market_entries import Entry
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer


def mark(document: Document) -> tuple[int, tuple[str, ...]]:
    """Return what changes whenever an entry may."""
    return document["revision"], tuple(document["places"])


def offer_entry(document: Document) -> Entry:
    """Return the entry of an offer's document."""
    offer = Offer.FromString(document["body"])
    public = document["public"]
    balances = convert.offer_account(document, offer).balances()
    price = offer.unit_price if "price" in public else None
    parts = (market_entries.of_offer(offer, balances, public),)
    return _entry(document, offer, parts, price, public)


def demand_entry(document: Document) -> Entry:
    """Return the entry of a demand's document."""
    demand = Demand.FromString(document["body"])
    public = document["public"]
    balances = convert.demand_account(document, demand).balances()
    return _entry(
        document, demand, market_entries.of_demand(demand, balances, public), None, public
    )


def _entry(
    document: Document,
    posting: Offer | Demand,
    parts: tuple[market_entries.Part, ...],
    price: int | None,
    public: Sequence[str],
) -> Entry:
    title, description = market_entries.words(posting, public)
    return Entry(
        document["_id"],
        isinstance(posting, Offer),
        document["organization"],
        document["posted"],
        mark(document),
        tuple(document["places"]),
        parts,
        price,
        "identity" in public,
        title,
        description,
        posting_documents.span(posting) if "quantity" in public else None,
    )
