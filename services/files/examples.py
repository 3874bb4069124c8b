"""One example posting of a capability, for templates: it can be imported as it stands."""

from __future__ import annotations

from datetime import date, timedelta

from services.files import attribute_text
from services.files.rows import Posting
from services.files.taxonomy import said
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand, Line, Sourcing, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity


def offer(
    capability: Capability, today: date, name: str = "", language: str = "en", weeks: int = 4
) -> Posting:
    """An offer over the next weeks."""
    found = Offer(
        name=name,
        capability=capability.code,
        title=said(capability.display_name, language) or capability.code,
        capacity=[PeriodQuantity(period=week, quantity=40) for week in ahead(today, weeks)],
        unit_price=10_000,
    )
    _attributes(found, capability)
    return found


def demand(
    capability: Capability, today: date, name: str = "", language: str = "en", weeks: int = 4
) -> Posting:
    """A demand of one line, for the next weeks."""
    window = ahead(today, weeks)
    line = Line(
        id="first",
        capability=capability.code,
        quantity=20,
        window=Window(earliest=window[0], latest=window[-1]),
        limit_price=12_000,
        sourcing=Sourcing(max_partners=1),
    )
    _attributes(line, capability)
    return Demand(
        name=name, title=said(capability.display_name, language) or capability.code, lines=[line]
    )


def ahead(today: date, weeks: int) -> list[str]:
    """The next ISO weeks, from the coming Monday on."""
    days = [today + timedelta(weeks=count) for count in range(1, weeks + 1)]
    return [f"{day.isocalendar().year}-W{day.isocalendar().week:02d}" for day in days]


def _attributes(message: Offer | Line, capability: Capability) -> None:
    for schema in capability.attributes:
        value = attribute_text.read(attribute_text.example(schema), schema)
        message.attributes[schema.key].CopyFrom(value)
