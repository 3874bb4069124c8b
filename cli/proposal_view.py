"""Proposals for people: a row of the list, and one proposal whole."""

from __future__ import annotations

from cli.screen import moment, money, say, state, table
from services.files import amounts
from spareline.market.v1.capability_pb2 import Unit
from spareline.matching.v1.proposal_pb2 import DeclineReason, HistoryEntry, Leg, Party, Proposal


def row(found: Proposal) -> tuple[str, ...]:
    """A proposal as a row: name, state, title, legs, price, lease, answers."""
    answers = "".join(_MARKS.get(party.answer, "·") for party in found.parties)
    return (
        found.name,
        state(Proposal.State.Name(found.state)),
        found.title,
        str(len(found.legs)),
        money(found.total_price + found.total_transport),
        moment(found.lease_expire_time),
        answers,
    )


_MARKS = {
    Party.ANSWER_ACCEPTED: "✓",
    Party.ANSWER_DECLINED: "✗",
    Party.ANSWER_FULFILLED: "✓",
    Party.ANSWER_LATE: "✓",
    Party.ANSWER_FAILED: "✗",
}


def show_proposal(found: Proposal) -> None:
    """Write a proposal whole."""
    say(f"{found.name}: {state(Proposal.State.Name(found.state))}")
    say(f"  {found.title}  {found.demand or found.demand_alias}")
    say(
        f"  price {money(found.total_price)} CNY, transport {money(found.total_transport)} CNY, "
        f"open until {moment(found.lease_expire_time) or '–'} UTC"
    )
    parties = [_party(index, party) for index, party in enumerate(found.parties)]
    table("Parties", ("", "side", "who", "where", "credit", "answer", "contact"), parties)
    columns = ("leg", "from", "what", "line", "when and how much", ">unit price", ">transport")
    table("Legs", columns, [_leg(index, leg, found) for index, leg in enumerate(found.legs)])
    if found.HasField("counter"):
        say(f"A counter is open, by party {found.counter.party_index}: {found.counter.note}")
        for term in found.counter.legs:
            price = f"unit price {money(term.unit_price)} " if term.HasField("unit_price") else ""
            weeks = ", ".join(f"{d.period}: {d.quantity} ticks" for d in term.deliveries)
            say(f"  leg {term.leg_index}: {price}{weeks}")
    history = [
        (moment(entry.time), entry.event, _who(entry.party_index), _said(entry))
        for entry in found.history
    ]
    table("History", ("when", "what", "who", "note"), history)


def _party(index: int, party: Party) -> tuple[str, ...]:
    own = " (you)" if party.own else ""
    contact = ", ".join(
        text for text in (party.contact.person, party.contact.email, party.contact.phone) if text
    )
    answer = "" if not party.answer else state(Party.Answer.Name(party.answer))
    name = party.display_name + own
    return (str(index), party.side, name, party.region, party.credit_grade, answer, contact)


def _leg(index: int, leg: Leg, found: Proposal) -> tuple[str, ...]:
    resolution = leg.unit.resolution or "1"
    deliveries = ", ".join(
        f"{each.period}: {_quantity(amounts.units(each.quantity, resolution), leg.unit)}"
        for each in leg.deliveries
    )
    offerer = found.parties[leg.party_index].display_name if found.parties else ""
    return (
        str(index),
        offerer,
        leg.offer_title or leg.capability,
        leg.line,
        deliveries,
        money(leg.unit_price),
        money(leg.transport),
    )


def _said(entry: HistoryEntry) -> str:
    reason = ""
    if entry.reason:
        reason = DeclineReason.Name(entry.reason).removeprefix("DECLINE_REASON_").lower()
    return ": ".join(part for part in (reason, entry.note) if part)


def _who(index: int) -> str:
    return "the platform" if index < 0 else f"party {index}"


def _quantity(amount: str, unit: Unit) -> str:
    name = unit.display_name.en
    return f"{amount} {name if amount == '1' else unit.plural_en or name}".rstrip()
