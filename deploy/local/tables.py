"""Tables for the terminal: what a round matched, and who can sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from rich.table import Table
from rich.text import Text

from deploy.sample import SignIn
from spareline.matching.v1 import proposal_pb2, round_pb2

_ROWS: Final = 10
_LIVE: Final = (
    proposal_pb2.Proposal.STATE_PROPOSED,
    proposal_pb2.Proposal.STATE_CONFIRMING,
    proposal_pb2.Proposal.STATE_CONFIRMED,
    proposal_pb2.Proposal.STATE_FULFILLED,
)


def matched(proposals: Sequence[proposal_pb2.Proposal], capabilities: Mapping[str, str]) -> Table:
    """The dearest proposals of a round: who, what, from whom, when, for how much.

    `capabilities` gives the name of a capability by its code.
    """
    table = Table(title="What was matched", title_justify="left", expand=False)
    for heading in ("demand", "for", "what", "from", "weeks"):
        table.add_column(heading, max_width=34)
    table.add_column("price, CNY", justify="right", no_wrap=True)
    shown = sorted(
        (found for found in proposals if found.state in _LIVE),
        key=lambda found: (-found.total_price, found.name),
    )
    for proposal in shown[:_ROWS]:
        table.add_row(
            _shortened(proposal.title),
            _shortened(", ".join(_names(proposal, "demand"))),
            _shortened("; ".join(_amounts(proposal, capabilities))),
            _shortened(", ".join(_names(proposal, "offer"))),
            _shortened(_weeks(proposal)),
            f"{Decimal(proposal.total_price) / 100:,.2f}",
        )
    if len(shown) > _ROWS:
        table.caption = f"and {len(shown) - _ROWS} more"
        table.caption_justify = "left"
    return table


def summary(ended: round_pb2.Round) -> str:
    """One line on how well a round did."""
    reached = ended.outcome
    below = f"at most {Decimal(reached.gap_ppm) / 10_000:.2f} % below the best possible"
    proof = below if reached.gap_ppm else "proved to be the best possible"
    return (
        f"{reached.demands_served} of {ended.size.demands} demands served from "
        f"{reached.offers_used} of {ended.size.offers} offers; {reached.proposals} proposals; "
        f"{proof} ({reached.solve_milliseconds / 1000:.1f} s)."
    )


def sign_ins(
    operator_email: str, operator_password: str, people: Sequence[SignIn], demo_password: str
) -> Table:
    """Who can sign in, with which password."""
    table = Table(title="Sign in as", title_justify="left", expand=False)
    for heading in ("who", "e-mail", "password"):
        table.add_column(heading, overflow="fold")
    table.add_row("the market's operator", operator_email, operator_password)
    for person in people:
        table.add_row(person.display_name, person.email, demo_password)
    return table


def _shortened(text: str) -> Text:
    """A cell that gives way when the terminal is narrow: only the price is never cut."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _names(proposal: proposal_pb2.Proposal, side: str) -> list[str]:
    return [party.display_name for party in proposal.parties if party.side == side]


def _amounts(proposal: proposal_pb2.Proposal, names: Mapping[str, str]) -> list[str]:
    """Quantity and unit by capability, over all legs, in the order of the legs."""
    ticks: dict[str, int] = {}
    units: dict[str, tuple[Decimal, str]] = {}
    for leg in proposal.legs:
        quantity = sum(delivery.quantity for delivery in leg.deliveries)
        ticks[leg.capability] = ticks.get(leg.capability, 0) + quantity
        resolution = Decimal(leg.unit.resolution or "1")
        name = leg.unit.plural_en or leg.unit.display_name.en or leg.unit.code
        units[leg.capability] = (resolution, name)
    return [
        f"{names.get(code, code)}, {ticks[code] * units[code][0]:,f} {units[code][1]}"
        for code in ticks
    ]


def _weeks(proposal: proposal_pb2.Proposal) -> str:
    weeks = sorted(item.period for leg in proposal.legs for item in leg.deliveries)
    if not weeks:
        return ""
    return weeks[0] if weeks[0] == weeks[-1] else f"{weeks[0]} – {weeks[-1]}"
