"""From quantities to proposals: who delivers what to whom, when, at what price. Unredacted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.matching.domain import periods
from services.matching.domain.pricing import Terms, rule_name, unit_prices
from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.policy_pb2 import Policy
from spareline.matching.v1.proposal_pb2 import Leg, Party, Proposal


@dataclass(frozen=True)
class _Taken:
    """What one pair carries."""

    pair: int
    offer: int
    line: int
    deliveries: tuple[tuple[int, int], ...]
    """(period ordinal, ticks), by period."""

    @property
    def quantity(self) -> int:
        return sum(ticks for _, ticks in self.deliveries)


def drafts(problem: Problem, quantity: IntArray, round_name: str, policy: Policy) -> list[Proposal]:
    """One proposal per demand served, by demand name, in state HOLDING, without times.

    ``quantity[X]`` in ticks, as the engine gives it. A leg is a pair; a setup price, due once per
    offer and demand, stands on the first of the offer's legs. Names follow from round and demand,
    so that the same assignment gives the same proposals.
    """
    by_demand: dict[int, list[_Taken]] = {}
    for taken in _taken(problem, quantity):
        demand = int(problem.tables.lines.demand[taken.line])
        by_demand.setdefault(demand, []).append(taken)
    found = [
        _draft(problem, demand, legs, round_name, policy) for demand, legs in by_demand.items()
    ]
    return sorted(found, key=lambda each: each.demand)


def proposal_name(round_name: str, demand: str) -> str:
    """The name of a demand's proposal in a round."""
    digest = hashlib.sha256(f"{round_name}\n{demand}".encode()).hexdigest()
    return f"{round_name}/proposals/{digest[:20]}"


def _taken(problem: Problem, quantity: IntArray) -> Iterable[_Taken]:
    """What each used pair carries, in the order of the pairs."""
    market = problem.market
    carried: dict[int, list[tuple[int, int]]] = {}
    for x in np.flatnonzero(quantity).tolist():
        period = int(market.slot_period[market.x_slot[x]])
        carried.setdefault(int(market.x_pair[x]), []).append((period, int(quantity[x])))
    for pair in sorted(carried):
        offer, line = int(market.pair_offer[pair]), int(market.pair_line[pair])
        yield _Taken(pair, offer, line, tuple(sorted(carried[pair])))


def _draft(
    problem: Problem, row: int, taken: list[_Taken], round_name: str, policy: Policy
) -> Proposal:
    tables = problem.tables
    demand = tables.demands.messages[row]
    proposal = Proposal(
        name=proposal_name(round_name, demand.name),
        demand=demand.name,
        title=demand.title,
        round=round_name,
        state=Proposal.STATE_HOLDING,
        terms_version=1,
    )
    owner = int(tables.demands.organization[row])
    proposal.parties.append(_party(tables.organizations.messages[owner], "demand"))
    at: dict[int, int] = {}
    for each in taken:
        offerer = int(tables.offers.organization[each.offer])
        if offerer not in at:
            at[offerer] = len(proposal.parties)
            proposal.parties.append(_party(tables.organizations.messages[offerer], "offer"))
        proposal.legs.append(_leg(problem, each, at[offerer], policy))
    _price(problem, proposal, demand, taken, policy)
    return proposal


def _party(organization: Organization, side: str) -> Party:
    return Party(
        organization=organization.name,
        display_name=organization.display_name,
        region=organization.region,
        credit_grade=organization.credit_grade,
        standards=organization.standards,
        side=side,
    )


def _leg(problem: Problem, taken: _Taken, party: int, policy: Policy) -> Leg:
    offer = problem.tables.offers.messages[taken.offer]
    pairs = problem.pairs
    leg = Leg(
        offer=offer.name,
        offer_title=offer.title,
        capability=offer.capability,
        line=problem.tables.lines.messages[taken.line].id,
        transport=int(pairs.unit_transport[taken.pair]) * taken.quantity
        + int(pairs.shipment[taken.pair]),
        party_index=party,
        distance_km=int(pairs.distance_km[taken.pair]),
        price_rule=rule_name(policy),
    )
    capability = problem.tables.capabilities.get(offer.capability)
    if capability is not None:
        leg.unit.CopyFrom(capability.unit)
    for period, ticks in taken.deliveries:
        leg.deliveries.add(period=periods.name(period), quantity=ticks)
    return leg


def _price(
    problem: Problem, proposal: Proposal, demand: Demand, taken: list[_Taken], policy: Policy
) -> None:
    """Set unit prices, setup prices and totals."""
    lines, pairs = problem.tables.lines, problem.pairs
    paid: set[int] = set()
    terms = []
    for leg, each in zip(proposal.legs, taken, strict=True):
        offer = problem.tables.offers.messages[each.offer]
        leg.setup_price = 0 if each.offer in paid else offer.setup_price
        paid.add(each.offer)
        fixed = leg.setup_price + int(pairs.shipment[each.pair])
        terms.append(
            Terms(
                offer.unit_price,
                int(lines.limit_price[each.line]),
                int(pairs.unit_transport[each.pair]),
                each.quantity,
                fixed,
            )
        )
    budget = demand.budget if demand.HasField("budget") else -1
    for leg, each, price in zip(
        proposal.legs, taken, unit_prices(terms, policy, budget), strict=True
    ):
        leg.unit_price = price
        proposal.total_price += price * each.quantity + leg.setup_price
        proposal.total_transport += leg.transport
