"""What proposals that are still alive mean for a round: what stays held, and what is given back.

Held and committed ticks are missing from the balances already, so a pinned proposal needs no
constraint: the round does not see its part. Under a policy that reopens unanswered proposals,
theirs is given back to the problem, and repeating a leg earns the change bonus.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.matching.domain import periods
from spareline.matching.v1.policy_pb2 import Policy
from spareline.matching.v1.proposal_pb2 import Party, Proposal

_HOLDING = (
    Proposal.STATE_HOLDING,
    Proposal.STATE_PROPOSED,
    Proposal.STATE_CONFIRMING,
    Proposal.STATE_CONFIRMED,
    Proposal.STATE_FULFILLED,
    Proposal.STATE_DISPUTED,
)


@dataclass
class Live:
    """The live proposals of a round, folded. Quantities in ticks, periods as ordinals."""

    pinned: int = 0
    reopened: list[str] = field(default_factory=list)
    """Names of the proposals that the round may replace."""
    offer_back: dict[tuple[str, int], int] = field(default_factory=dict)
    """Ticks given back by (offer, period)."""
    line_back: dict[tuple[str, str], int] = field(default_factory=dict)
    """Ticks given back by (demand, line)."""
    repeat: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Ticks that an (offer, demand, line) carried in a reopened proposal."""
    spans: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """First and last period in which a (demand, line) is served by what stays."""


def reopens(proposal: Proposal, policy: Policy) -> bool:
    """Tell whether a round under this policy may put another proposal in this one's place."""
    return (
        policy.reopens_unanswered
        and proposal.state == Proposal.STATE_PROPOSED
        and not proposal.HasField("counter")
        and all(party.answer == Party.ANSWER_UNSPECIFIED for party in proposal.parties)
    )


def fold(proposals: Iterable[Proposal], policy: Policy) -> Live:
    """Fold live proposals, those that are over are skipped."""
    live = Live()
    for proposal in proposals:
        if proposal.state not in _HOLDING:
            continue
        if reopens(proposal, policy):
            live.reopened.append(proposal.name)
            _give_back(live, proposal)
        else:
            live.pinned += proposal.state in (Proposal.STATE_HOLDING, Proposal.STATE_PROPOSED)
            _span(live, proposal)
    return live


def _give_back(live: Live, proposal: Proposal) -> None:
    for leg in proposal.legs:
        for delivery in leg.deliveries:
            slot = (leg.offer, periods.ordinal(delivery.period))
            line = (proposal.demand, leg.line)
            pair = (leg.offer, proposal.demand, leg.line)
            live.offer_back[slot] = live.offer_back.get(slot, 0) + delivery.quantity
            live.line_back[line] = live.line_back.get(line, 0) + delivery.quantity
            live.repeat[pair] = live.repeat.get(pair, 0) + delivery.quantity


def _span(live: Live, proposal: Proposal) -> None:
    for leg in proposal.legs:
        key = (proposal.demand, leg.line)
        for delivery in leg.deliveries:
            period = periods.ordinal(delivery.period)
            first, last = live.spans.get(key, (period, period))
            live.spans[key] = (min(first, period), max(last, period))
