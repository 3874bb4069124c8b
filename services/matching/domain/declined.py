"""What was turned down before: a pair is not proposed again on the same terms."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from spareline.market.v1.demand_pb2 import Line
from spareline.market.v1.offer_pb2 import Offer


class Declined(NamedTuple):
    """An (offer, demand line) pair that a party turned down, and the digest of the terms then."""

    offer: str
    demand: str
    line: str
    terms: str


def terms_digest(offer: Offer, line: Line) -> str:
    """SHA-256 over the terms that a party judged: when any of them changes, the pair is new again.

    Capacities and balances are left out: they move with every other match.
    """
    terms = [
        offer.capability,
        offer.unit_price,
        offer.setup_price,
        offer.minimum_order,
        offer.lead_time_periods,
        line.capability,
        line.limit_price,
        line.quantity,
        line.least_quantity,
        line.window.earliest,
        line.window.latest,
    ]
    return hashlib.sha256(json.dumps(terms).encode()).hexdigest()


def declined_pair(offer: Offer, demand: str, line: Line) -> Declined:
    """Return the record of a pair that is turned down on the terms as they stand."""
    return Declined(offer.name, demand, line.id, terms_digest(offer, line))
