"""What was turned down before: a pair is not proposed again on the terms that were turned down.

Why a party declined says which terms those are: after "the price does not suit" a later window
changes nothing, and a lower price does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from spareline.market.v1.demand_pb2 import Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1 import proposal_pb2

ALL, PRICE, TIMING, QUANTITY = "all", "price", "timing", "quantity"
NEVER_FOR_DEMAND, NEVER_FOR_OFFER = "never-for-demand", "never-for-offer"
"""The partner was turned down: by the demander for this demand, by the offerer for this offer."""

_ASPECTS: Mapping[int, str] = {
    proposal_pb2.DECLINE_REASON_PRICE: PRICE,
    proposal_pb2.DECLINE_REASON_TIMING: TIMING,
    proposal_pb2.DECLINE_REASON_QUANTITY: QUANTITY,
}


class Declined(NamedTuple):
    """An (offer, demand line) pair that a party turned down.

    ``terms`` names the terms and their digest then, as in ``price=…``; a digest alone is of all.
    """

    offer: str
    demand: str
    line: str
    terms: str


def judged_terms(offer: Offer, line: Line) -> str:
    """The digests of all that a party can turn down, to be kept with a proposal."""
    digests = {aspect: _digest(aspect, offer, line) for aspect in (ALL, PRICE, TIMING, QUANTITY)}
    return ";".join(f"{aspect}={digest}" for aspect, digest in digests.items())


def turned_down(judged: str, reason: int, *, by_demander: bool) -> str:
    """What of the judged terms a reason turns down: the ``terms`` of a record."""
    if reason == proposal_pb2.DECLINE_REASON_PARTNER:
        return NEVER_FOR_DEMAND if by_demander else NEVER_FOR_OFFER
    aspect = _ASPECTS.get(reason, ALL)
    kept = [each for each in judged.split(";") if each.startswith(f"{aspect}=")]
    # Proposals from before reasons counted hold one digest, of all.
    return kept[0] if kept else judged


def still_stands(record: Declined, offer: Offer, line: Line) -> bool:
    """Tell whether a pair is still on the terms on which it was turned down."""
    if record.terms in (NEVER_FOR_DEMAND, NEVER_FOR_OFFER):
        return True
    aspect, _, digest = record.terms.rpartition("=")
    return digest == _digest(aspect or ALL, offer, line)


def declined_pair(offer: Offer, demand: str, line: Line) -> Declined:
    """Return the record of a pair that is turned down on all terms as they stand."""
    return Declined(offer.name, demand, line.id, f"{ALL}={_digest(ALL, offer, line)}")


def _digest(aspect: str, offer: Offer, line: Line) -> str:
    """SHA-256 over the terms that a party judged: when one changes, the pair is new again.

    What is free is left out: it moves with every other match.
    """
    prices = [offer.unit_price, offer.setup_price, line.limit_price]
    quantities = [offer.minimum_order, line.quantity, line.least_quantity]
    window = [line.window.earliest, line.window.latest]
    kinds = [offer.capability, line.capability]
    terms: list[object]
    match aspect:
        case "price":
            terms = [*kinds, *prices]
        case "timing":
            weeks = sorted(each.period for each in offer.capacity)
            terms = [*kinds, offer.lead_time_periods, *window, weeks]
        case "quantity":
            terms = [*kinds, *quantities]
        case _:
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
                *window,
            ]
    return hashlib.sha256(json.dumps(terms).encode()).hexdigest()
