"""Agreed deliveries as a calendar (RFC 5545): one all-day entry for each week of each delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, timedelta

from icalendar import Calendar, Event

from services.gateway import formats
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import Capability
from spareline.matching.v1.proposal_pb2 import Delivery, Leg, Proposal

TYPE = "text/calendar"


def calendar(
    proposals: Iterable[Proposal],
    known: Mapping[str, Capability],
    language: str,
    address: str,
    *,
    since: str = "",
) -> bytes:
    """Return the calendar of agreed proposals, from the week ``since`` on.

    ``address`` is where the pages are, without a slash at its end.
    """
    _ = translations(language).gettext
    made = Calendar()
    made.add("prodid", "-//Spareline//Agreements//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", _("Spareline: agreed deliveries"))
    made.add("x-published-ttl", "PT1H")
    for proposal in proposals:
        for index, leg in enumerate(proposal.legs):
            for delivery in leg.deliveries:
                if delivery.period >= since:
                    made.add_component(
                        _entry(proposal, index, leg, delivery, known, language, address)
                    )
    return bytes(made.to_ical())


def _entry(
    proposal: Proposal,
    index: int,
    leg: Leg,
    delivery: Delivery,
    known: Mapping[str, Capability],
    language: str,
    address: str,
) -> Event:
    _ = translations(language).gettext
    _rounds, round_, _proposals, proposal_id = proposal.name.split("/")
    page = f"{address}/proposals/{round_}/{proposal_id}"
    quantity = formats.quantity(delivery.quantity, leg.unit, language)
    capability = known.get(leg.capability)
    what = formats.text(capability.display_name, language) if capability else leg.capability
    buying = proposal.parties[0].own
    other = proposal.parties[leg.party_index if buying else 0].display_name
    wording = (
        _("%(what)s: %(quantity)s from %(partner)s")
        if buying
        else _("%(what)s: %(quantity)s for %(partner)s")
    )
    entry = Event()
    entry.add("uid", f"{proposal_id}-{index}-{delivery.period}@{round_}.spareline")
    entry.add("dtstamp", proposal.update_time.ToDatetime(tzinfo=UTC))
    entry.add("sequence", proposal.generation)
    monday = formats.monday(delivery.period)
    entry.add("dtstart", monday)
    entry.add("dtend", monday + timedelta(weeks=1))
    entry.add("summary", wording % {"what": what, "quantity": quantity, "partner": other})
    entry.add("description", f"{proposal.title}\n{page}")
    entry.add("url", page)
    entry.add("status", "CONFIRMED")
    entry.add("transp", "TRANSPARENT")  # the week goes on beside it
    return entry
