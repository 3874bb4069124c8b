"""The terms of a proposal as a page shows them, and what a counter would change about them."""

from __future__ import annotations

from dataclasses import dataclass

from spareline.matching.v1.proposal_pb2 import CounterLeg, Leg, Party, Proposal

_REMINDED = "overdue"  # as the history of a proposal names it


@dataclass(frozen=True, slots=True)
class WeekChange:
    """Ticks of a week now and as asked for; 0 where the week has none."""

    period: str
    now: int
    asked: int


@dataclass(frozen=True, slots=True)
class LegChange:
    """What a counter asks of one leg. Prices are minor units per tick, amounts minor units."""

    leg: Leg
    asked_price: int
    weeks: tuple[WeekChange, ...]

    @property
    def price_changes(self) -> bool:
        """Whether another price is asked for."""
        return self.asked_price != self.leg.unit_price

    @property
    def weeks_change(self) -> bool:
        """Whether other quantities are asked for."""
        return any(week.now != week.asked for week in self.weeks)


@dataclass(frozen=True, slots=True)
class Counter:
    """An open counter: the legs that it changes, and the whole price before and after."""

    legs: tuple[LegChange, ...]
    now: int
    asked: int


def counter(proposal: Proposal) -> Counter:
    """Return what the open counter changes, of the legs that the reader sees."""
    asked = {leg.leg_index: leg for leg in proposal.counter.legs}
    changes = tuple(
        _change(proposal.legs[i], asked[i]) for i in sorted(asked) if i < len(proposal.legs)
    )
    difference = sum(_amount(change) - amount(change.leg) for change in changes)
    return Counter(changes, proposal.total_price, proposal.total_price + difference)


def amount(leg: Leg) -> int:
    """Return what a leg costs, transport left out, in minor units."""
    return leg.unit_price * quantity(leg) + leg.setup_price


def quantity(leg: Leg) -> int:
    """Return the ticks of a leg over all weeks."""
    return sum(delivery.quantity for delivery in leg.deliveries)


def weeks(proposal: Proposal) -> tuple[str, str]:
    """Return the first and the last week of a proposal; empty where nothing is delivered."""
    periods = sorted(d.period for leg in proposal.legs for d in leg.deliveries)
    return (periods[0], periods[-1]) if periods else ("", "")


def _change(leg: Leg, asked: CounterLeg) -> LegChange:
    price = asked.unit_price if asked.HasField("unit_price") else leg.unit_price
    now = {each.period: each.quantity for each in leg.deliveries}
    new = {each.period: each.quantity for each in asked.deliveries} or now
    found = (WeekChange(week, now.get(week, 0), new.get(week, 0)) for week in sorted({*now, *new}))
    return LegChange(leg, price, tuple(found))


def _amount(change: LegChange) -> int:
    ticks = sum(week.asked for week in change.weeks)
    return change.asked_price * ticks + change.leg.setup_price


def report_due(proposal: Proposal) -> bool:
    """Return whether the reader was reminded to say how an agreed proposal went."""
    reminded = any(entry.event == _REMINDED for entry in proposal.history)
    silent = any(party.own and party.answer == Party.ANSWER_ACCEPTED for party in proposal.parties)
    return proposal.state == Proposal.STATE_CONFIRMED and reminded and silent
