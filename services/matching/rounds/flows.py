"""Where a round flows: from the regions of offers through branches to the regions of demands."""

from __future__ import annotations

from collections.abc import Iterable

from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_analysis_pb2 import Flow, RoundFlows

_BRANCH_PARTS = 2


def flows_of(round_name: str, proposals: Iterable[Proposal]) -> RoundFlows:
    """The legs of unredacted proposals, added up by both regions and branch, greatest first."""
    found: dict[tuple[str, str, str], Flow] = {}
    for proposal in proposals:
        to = proposal.parties[0].region
        for leg in proposal.legs:
            branch = ".".join(leg.capability.split(".")[:_BRANCH_PARTS])
            key = (proposal.parties[leg.party_index].region, branch, to)
            flow = found.setdefault(key, Flow(offer_region=key[0], branch=branch, demand_region=to))
            ticks = sum(each.quantity for each in leg.deliveries)
            flow.price += leg.unit_price * ticks + leg.setup_price
            flow.legs += 1
    ordered = sorted(found.items(), key=lambda each: (-each[1].price, each[0]))
    return RoundFlows(name=round_name, flows=[flow for _, flow in ordered])
