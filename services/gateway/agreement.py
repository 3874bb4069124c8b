"""An agreement as one sheet of plain text, the same for the printed page and for the PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.gateway import formats, terms
from services.gateway.forms import regions
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.organization_pb2 import Contact
from spareline.matching.v1.proposal_pb2 import Leg, Party, Proposal

AGREED = frozenset({Proposal.STATE_CONFIRMED, Proposal.STATE_FULFILLED, Proposal.STATE_DISPUTED})
"""The states in which there is an agreement to print."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One party: what it is here, its name, and how it is reached."""

    role: str
    name: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Item:
    """One delivery: what, its weeks as rows of week, quantity and amount, and its terms."""

    title: str
    offer: str
    rows: list[tuple[str, str, str]]
    terms: list[Pair]


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that stands on the sheet, in the reader's language."""

    heading: str
    title: str
    facts: list[Pair]
    sides: list[Side]
    columns: tuple[str, str, str]
    items: list[Item]
    totals: list[Pair]
    note: str
    signature: str
    signers: list[str] = field(default_factory=list)


def sheet(
    proposal: Proposal, own: Contact, known: Mapping[str, Capability], language: str
) -> Sheet:
    """Return the sheet of an agreed proposal; ``own`` is the reader's contact, which it lacks."""
    _ = translations(language).gettext
    buying = bool(proposal.parties) and proposal.parties[0].own
    facts = [(_("Number"), formats.resource_id(proposal.name))]
    for entry in proposal.history:
        if entry.event == "confirmed":
            facts.append((_("Agreed on"), formats.moment_and_year(entry.time, language)))
    totals = [(_("Total price"), formats.money(proposal.total_price, language))]
    if buying and proposal.total_transport:
        totals.append((_("Transport"), formats.money(proposal.total_transport, language)))
    sides = [_side(party, own, language) for party in proposal.parties]
    return Sheet(
        heading=_("Agreement"),
        title=proposal.title,
        facts=facts,
        sides=sides,
        columns=(_("Week"), _("How much"), _("Amount")),
        items=[_item(leg, proposal, known, language) for leg in proposal.legs],
        totals=totals,
        note=_(
            "All parties accepted these terms on Spareline. Payment is between the partners; "
            "Spareline does not move money."
        ),
        signature=_("Place, date, signature"),
        signers=[side.name for side in sides],
    )


def _side(party: Party, own: Contact, language: str) -> Side:
    _ = translations(language).gettext
    contact = own if party.own else party.contact
    region = regions.name(party.region, language) if party.region else ""
    lines = [contact.person, contact.phone, contact.email, contact.address, region]
    if party.standards:
        lines.append(", ".join(party.standards))
    role = _("Customer") if party.side == "demand" else _("Supplier")
    return Side(role, party.display_name, [line for line in lines if line])


def _item(leg: Leg, proposal: Proposal, known: Mapping[str, Capability], language: str) -> Item:
    _ = translations(language).gettext
    rows = [
        (
            formats.week(each.period, language),
            formats.quantity(each.quantity, leg.unit, language),
            formats.money(each.quantity * leg.unit_price, language),
        )
        for each in leg.deliveries
    ]
    total = terms.quantity(leg)
    rows.append(
        (
            _("In all"),
            formats.quantity(total, leg.unit, language),
            formats.money(total * leg.unit_price, language),
        )
    )
    said = [(_("Price"), formats.unit_money(leg.unit_price, leg.unit, language))]
    if leg.setup_price:
        said.append((_("Setup"), formats.money(leg.setup_price, language)))
    if len(proposal.parties) > 2 and leg.party_index < len(proposal.parties):
        said.append((_("Supplier"), proposal.parties[leg.party_index].display_name))
    capability = known.get(leg.capability)
    title = formats.text(capability.display_name, language) if capability else leg.capability
    return Item(title, leg.offer_title, rows, said)
