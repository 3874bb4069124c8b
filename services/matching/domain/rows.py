"""From messages to the columns of `tables`, row by row, so that one row can be read again alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from services.matching.domain import periods
from services.matching.domain.live import Live
from services.matching.domain.participation import OpenLine
from services.matching.domain.tables import (
    DemandTable,
    LineTable,
    OfferTable,
    OrganizationTable,
    SharedWords,
    columns_of,
    grade_rank,
    least_rank,
)
from services.matching.domain.transport import rate_for
from services.matching.domain.vocabulary import IntArray
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer, Reach, Requirements
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.policy_pb2 import Policy


def organization_table(found: Iterable[Organization], words: SharedWords) -> OrganizationTable:
    """Columns of the organizations."""
    messages = tuple(found)
    return OrganizationTable(
        messages,
        {each.name: row for row, each in enumerate(messages)},
        np.array([words.regions.at(each.region) for each in messages], dtype=np.int64),
        np.array([each.location.latitude for each in messages], dtype=np.float64),
        np.array([each.location.longitude for each in messages], dtype=np.float64),
        np.array([each.HasField("location") for each in messages], dtype=np.bool_),
        np.array([grade_rank(each.credit_grade) for each in messages], dtype=np.int64),
        np.array([_standards(each.standards, words) for each in messages], dtype=np.int64),
    )


def offer_row(
    offer: Offer,
    organization: int,
    policy: Policy,
    capabilities: Mapping[str, Capability],
    words: SharedWords,
) -> dict[str, int]:
    """The columns of an offer, its capacities left out."""
    capability = capabilities.get(offer.capability, Capability())
    rate = rate_for(policy.transport, offer.capability, capability.ships)
    return {
        "organization": organization,
        "code": words.codes.at(offer.capability),
        "unit": words.units.at(capability.unit.code),
        "unit_price": offer.unit_price,
        "setup_price": offer.setup_price,
        "minimum_order": offer.minimum_order,
        "minimum_run": offer.minimum_run,
        "lead_time": offer.lead_time_periods,
        "per_tick_1000km": rate.per_tick_1000km,
        "per_shipment_km": rate.per_shipment_km,
        **_asked(offer.reach, offer.requirements, words),
    }


def offer_table(
    messages: tuple[Offer, ...],
    rows: list[dict[str, int]],
    live: Live,
    now_period: int,
    columns: int,
) -> OfferTable:
    """Columns of the offers, with what is offered and what is free by period column."""
    offered = np.zeros((len(messages), columns), dtype=np.int64)
    free = np.zeros((len(messages), columns), dtype=np.int64)
    for row, offer in enumerate(messages):
        taken = {each.period: each.held + each.committed for each in offer.balances}
        for capacity in offer.capacity:
            column = periods.ordinal(capacity.period) - now_period
            if 0 <= column < columns:
                back = live.offer_back.get((offer.name, column + now_period), 0)
                rest = capacity.quantity - max(0, taken.get(capacity.period, 0) - back)
                offered[row, column] += capacity.quantity
                free[row, column] += max(0, rest)
    index = {offer.name: row for row, offer in enumerate(messages)}
    return OfferTable(messages, index, **columns_of(rows, OfferTable), offered=offered, free=free)


def demand_row(demand: Demand, organization: int, need: int, policy: Policy) -> dict[str, int]:
    """The columns of a demand."""
    classes = {each.name: each.bonus_permille for each in policy.priority_classes}
    return {
        "organization": organization,
        "bundle": int(demand.bundle),
        "budget": demand.budget if demand.HasField("budget") else -1,
        "priority": classes.get(demand.priority_class or "normal", 0),
        "need": need,
    }


def demand_table(messages: tuple[Demand, ...], rows: list[dict[str, int]]) -> DemandTable:
    """Columns of the demands."""
    index = {demand.name: row for row, demand in enumerate(messages)}
    return DemandTable(messages, index, **columns_of(rows, DemandTable))


def line_row(
    part: OpenLine,
    demand: int,
    now_period: int,
    capabilities: Mapping[str, Capability],
    words: SharedWords,
) -> dict[str, int]:
    """The columns of an open line."""
    line = part.line
    capability = capabilities.get(line.capability, Capability())
    return {
        "demand": demand,
        "code": words.codes.at(line.capability),
        "unit": words.units.at(capability.unit.code),
        "quantity": part.quantity,
        "least": part.least,
        "least_share": part.least_share,
        "max_partners": line.sourcing.max_partners or 1,
        "earliest": part.earliest - now_period,
        "latest": part.latest - now_period,
        "limit_price": line.limit_price,
        **_asked(line.reach, line.requirements, words),
    }


def line_table(parts: list[tuple[str, OpenLine]], rows: list[dict[str, int]]) -> LineTable:
    """Columns of the open lines; each part comes with the name of its demand."""
    index = {(demand, part.line.id): row for row, (demand, part) in enumerate(parts)}
    return LineTable(tuple(part.line for _, part in parts), index, **columns_of(rows, LineTable))


def subtree_index(codes: Iterable[str]) -> dict[str, IntArray]:
    """Offer rows by every code at or above theirs, from the offers' codes in row order."""
    found: dict[str, list[int]] = {}
    for row, code in enumerate(codes):
        steps = code.split(".")
        for end in range(1, len(steps) + 1):
            found.setdefault(".".join(steps[:end]), []).append(row)
    return {code: np.array(rows, dtype=np.int64) for code, rows in found.items()}


def _asked(reach: Reach, requirements: Requirements, words: SharedWords) -> dict[str, Any]:
    return {
        "regions": words.region_lists.at(tuple(sorted(reach.regions))),
        "radius": reach.radius_km,
        "least_grade": least_rank(requirements.least_credit_grade),
        "standards": _standards(requirements.standards, words),
    }


def _standards(standards: Iterable[str], words: SharedWords) -> int:
    return words.standard_lists.at(tuple(sorted(" ".join(each.split()) for each in standards)))
