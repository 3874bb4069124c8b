"""A change that would have matched a posting, taken from its explanation into the posting."""

from __future__ import annotations

from decimal import Decimal

from services.gateway.forms import quantities
from spareline.market.v1.capability_pb2 import Unit
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.explanation_pb2 import Counterfactual, Explanation

ANY = "any"


class StaleError(Exception):
    """The posting is not as it was when the change was found."""


def find(explanation: Explanation, field: str, line: str, to: str) -> Counterfactual | None:
    """Return the change of an explanation that a reader chose; None when it is not in it."""
    for each in explanation.counterfactuals:
        if (each.field, each.line, each.to or _from(each)) == (field, line, to):
            return each
    return None


def key(change: Counterfactual) -> str:
    """Return what tells a change from others of its field; what is dropped has no new value."""
    return change.to or _from(change)


def to_demand(demand: Demand, change: Counterfactual, unit: Unit) -> list[str]:
    """Make the change in a demand; return the paths that changed.

    Raises StaleError, also for a line or a requirement that is not there any more.
    """
    if change.field == "budget":
        _require(quantities.typed_money(demand.budget), change)
        demand.budget = quantities.minor(Decimal(change.to))
        return ["budget"]
    lines = [line for line in demand.lines if line.id == change.line]
    if not lines:
        raise StaleError
    _to_line(lines[0], change, unit)
    return ["lines"]


def _to_line(line: Line, change: Counterfactual, unit: Unit) -> None:
    to, gone = change.to, _from(change)
    match change.field:
        case "limit_price":
            _require(quantities.typed_price(line.limit_price, unit), change)
            line.limit_price = quantities.price_per_tick(Decimal(to), unit)
        case "window_latest":
            line.window.latest = to
        case "window_earliest":
            line.window.earliest = to
        case "max_partners":
            line.sourcing.max_partners = int(to)
        case "least_quantity":
            line.least_quantity = quantities.ticks(Decimal(to), unit)
        case "quantity":
            _require(quantities.typed_quantity(line.quantity, unit), change)
            line.quantity = quantities.ticks(Decimal(to), unit)
            line.least_quantity = min(line.least_quantity, line.quantity)
        case "standards" if gone in line.requirements.standards:
            line.requirements.standards.remove(gone)
        case "attributes" if gone in line.attributes:
            del line.attributes[gone]
        case "least_credit_grade":
            line.requirements.least_credit_grade = to
        case "radius":
            line.reach.radius_km = 0 if to == ANY else int(to)
        case "regions":
            del line.reach.regions[:]
        case _:
            raise StaleError


def to_offer(offer: Offer, change: Counterfactual, unit: Unit) -> list[str]:
    """Make the change in an offer; return the paths that changed. Raises StaleError."""
    match change.field:
        case "unit_price":
            _require(quantities.typed_price(offer.unit_price, unit), change)
            offer.unit_price = quantities.price_per_tick(Decimal(change.to), unit)
        case "minimum_order":
            offer.minimum_order = quantities.ticks(Decimal(change.to), unit)
        case "minimum_run":
            offer.minimum_run = quantities.ticks(Decimal(change.to), unit)
        case "lead_time":
            offer.lead_time_periods = int(change.to)
            return ["lead_time_periods"]
        case _:
            raise StaleError
    return [change.field]


def _require(now: str, change: Counterfactual) -> None:
    """Raise StaleError unless the value is still the one that the explanation is about."""
    if Decimal(now) != Decimal(_from(change)):
        raise StaleError


def _from(change: Counterfactual) -> str:
    # `from` is a keyword of Python.
    value: str = getattr(change, "from")
    return value
