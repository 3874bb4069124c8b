"""From the sample's entries to offers and demands as the market's contracts have them."""

from __future__ import annotations

from typing import Any, Final

from deploy.sample import terms
from deploy.sample.files import Entry, SampleError, require_keys
from deploy.sample.measures import Measures, fen
from spareline.market.v1.demand_pb2 import Demand, Line, Precedence, Sourcing, Window
from spareline.market.v1.offer_pb2 import Offer

_OFFER_NEEDS: Final = frozenset({"id", "title", "capability", "attributes", "price", "capacity"})
_OFFER_KEYS: Final = _OFFER_NEEDS | {
    *("text", "setup", "minimum_order", "minimum_run", "lead_time"),
    *("reach", "requires", "disclosure", "shows"),
}
_LINE_NEEDS: Final = frozenset({"capability", "quantity", "window", "limit"})
_LINE_KEYS: Final = _LINE_NEEDS | {
    *("attributes", "least", "partners", "least_share", "reach", "requires")
}
_DEMAND_NEEDS: Final = frozenset({"id", "title"})
_DEMAND_KEYS: Final = _DEMAND_NEEDS | {
    *("text", "bundle", "sequence", "budget", "prefers", "excludes", "priority", "disclosure"),
    *("shows", "unserved"),
}

ONLY_LINE: Final = "all"
"""Id of the line of a demand that has one line only."""


def offer(entry: Entry, measures: Measures) -> Offer:
    """The offer of an entry. Raises SampleError."""
    require_keys(entry, _OFFER_KEYS, _OFFER_NEEDS)
    code = entry["capability"]
    made = Offer(
        name=terms.posting_name(entry["id"], "offers"),
        capability=code,
        title=entry["title"],
        description=entry.get("text", ""),
        attributes=terms.attributes(entry["attributes"]),
        unit_price=measures.fen_per_tick(code, entry["price"]),
        setup_price=fen(entry.get("setup", 0)),
        minimum_order=measures.ticks(code, entry.get("minimum_order", 0)),
        minimum_run=measures.ticks(code, entry.get("minimum_run", 0)),
        lead_time_periods=entry.get("lead_time", 0),
    )
    for weeks, quantity in entry["capacity"].items():
        for ahead in _weeks(weeks):
            made.capacity.add(period=measures.week(ahead), quantity=measures.ticks(code, quantity))
    _shared(made, entry)
    if "disclosure" in entry:
        made.disclosure.CopyFrom(terms.disclosure(entry["disclosure"]))
    return made


def demand(entry: Entry, measures: Measures) -> Demand:
    """The demand of an entry. Raises SampleError."""
    single = "lines" not in entry
    known = _DEMAND_KEYS | (_LINE_KEYS if single else {"lines"})
    require_keys(entry, known, _DEMAND_NEEDS | (_LINE_NEEDS if single else frozenset()))
    own = {key: value for key, value in entry.items() if key in _LINE_KEYS}
    lines = [{"id": ONLY_LINE, **own}] if single else entry["lines"]
    made = Demand(
        name=terms.posting_name(entry["id"], "demands"),
        title=entry["title"],
        description=entry.get("text", ""),
        lines=[_line(each, measures) for each in lines],
        bundle=entry.get("bundle", False),
        precedences=[Precedence(before=a, after=b) for a, b in entry.get("sequence", [])],
        budget=fen(entry["budget"]) if "budget" in entry else None,
        preferred_organizations=[terms.organization(each) for each in entry.get("prefers", [])],
        excluded_organizations=[terms.organization(each) for each in entry.get("excludes", [])],
        priority_class=entry.get("priority", ""),
    )
    if "disclosure" in entry:
        made.disclosure.CopyFrom(terms.disclosure(entry["disclosure"]))
    return made


def _line(entry: Entry, measures: Measures) -> Line:
    require_keys(entry, _LINE_KEYS | {"id"}, _LINE_NEEDS | {"id"})
    code = entry["capability"]
    earliest, latest = entry["window"]
    made = Line(
        id=entry["id"],
        capability=code,
        attributes=terms.attributes(entry.get("attributes", {})),
        quantity=measures.ticks(code, entry["quantity"]),
        least_quantity=measures.ticks(code, entry.get("least", 0)),
        window=Window(earliest=measures.week(earliest), latest=measures.week(latest)),
        limit_price=measures.fen_per_tick(code, entry["limit"]),
    )
    if "partners" in entry:
        made.sourcing.CopyFrom(
            Sourcing(
                max_partners=entry["partners"],
                least_share=measures.ticks(code, entry.get("least_share", 0)),
            )
        )
    _shared(made, entry)
    return made


def _shared(made: Offer | Line, entry: Entry) -> None:
    if "reach" in entry:
        made.reach.CopyFrom(terms.reach(entry["reach"]))
    if "requires" in entry:
        made.requirements.CopyFrom(terms.requirements(entry["requires"]))


def _weeks(written: Any) -> range:
    """Weeks ahead: a number, or first and last as "1-8"."""
    first, dash, last = str(written).partition("-")
    try:
        found = range(int(first), int(last if dash else first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise SampleError(f"{written!r} is neither a week nor weeks such as 1-8")
    return found
