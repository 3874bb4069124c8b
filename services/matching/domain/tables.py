"""The book as columns: one row per organization, offer, demand and open line.

Periods are columns counted from the round's first one (column 0). Money in minor units, quantities
in ticks. Lists that repeat (regions, standards) stand as positions in a vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

from services.matching.domain.geo import FloatArray
from services.matching.domain.vocabulary import BoolArray, IntArray, Vocabulary
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.policy_pb2 import Policy

GRADES = "EDCBA"
"""Credit grades from the worst; a position in it is the number of grades above E."""

NEW_GRADE = "C"
"""An organization without a grade is new, and starts in the middle."""

Words = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SharedWords:
    """The vocabularies that all tables of a round share. Empty lists stand at 0."""

    regions: Vocabulary[str]
    region_lists: Vocabulary[Words]
    standard_lists: Vocabulary[Words]
    codes: Vocabulary[str]
    units: Vocabulary[str]

    @staticmethod
    def fresh() -> SharedWords:
        """New ones."""
        return SharedWords(
            Vocabulary(), Vocabulary(()), Vocabulary(()), Vocabulary(), Vocabulary("")
        )


@dataclass(frozen=True, eq=False)
class OrganizationTable:
    """Organizations; `located` says whether the coordinates are known."""

    messages: tuple[Organization, ...]
    index: Mapping[str, int]
    region: IntArray
    latitude: FloatArray
    longitude: FloatArray
    located: BoolArray
    grade: IntArray
    standards: IntArray


@dataclass(frozen=True, eq=False)
class OfferTable:
    """Offers. `offered` and `free` are ticks by [offer, period column]."""

    messages: tuple[Offer, ...]
    index: Mapping[str, int]
    organization: IntArray
    code: IntArray
    unit: IntArray
    unit_price: IntArray
    setup_price: IntArray
    minimum_order: IntArray
    minimum_run: IntArray
    lead_time: IntArray
    regions: IntArray
    radius: IntArray
    least_grade: IntArray
    standards: IntArray
    per_tick_1000km: IntArray
    per_shipment_km: IntArray
    offered: IntArray
    free: IntArray


@dataclass(frozen=True, eq=False)
class DemandTable:
    """Demands with at least one open line."""

    messages: tuple[Demand, ...]
    index: Mapping[str, int]
    organization: IntArray
    bundle: IntArray
    budget: IntArray
    priority: IntArray
    """Bonus of the priority class in thousandths of the served value."""
    need: IntArray
    """Need of the organization in thousandths; 1000 more at the head of the book."""


@dataclass(frozen=True, eq=False)
class LineTable:
    """Open lines. `earliest` and `latest` are period columns, ends included, not clipped."""

    messages: tuple[Line, ...]
    index: Mapping[tuple[str, str], int]
    demand: IntArray
    code: IntArray
    unit: IntArray
    quantity: IntArray
    least: IntArray
    least_share: IntArray
    max_partners: IntArray
    earliest: IntArray
    latest: IntArray
    limit_price: IntArray
    regions: IntArray
    radius: IntArray
    least_grade: IntArray
    standards: IntArray


@dataclass(frozen=True, eq=False)
class Tables:
    """All columns of a round, with the policy and what else the rules need."""

    policy: Policy
    now_period: int
    columns: int
    """Number of period columns: the round's first period and the policy's horizon after it."""
    words: SharedWords
    capabilities: Mapping[str, Capability]
    organizations: OrganizationTable
    offers: OfferTable
    demands: DemandTable
    lines: LineTable
    declined: frozenset[tuple[int, int]]
    """(offer row, line row) that were turned down on the terms as they stand."""
    repeat: Mapping[tuple[int, int], int]
    """Ticks that an (offer row, line row) carried in a proposal that this round may replace."""
    below: Mapping[str, IntArray] = field(default_factory=dict)
    """Offer rows by code of a capability at or above theirs."""

    def offers_of(self, code: str) -> IntArray:
        """Rows of the offers of a capability or below it."""
        return self.below.get(code, np.zeros(0, dtype=np.int64))


Table = TypeVar("Table", OfferTable, DemandTable, LineTable)


def with_row(table: Table, row: int, message: Any, values: Mapping[str, Any]) -> Table:
    """A copy of a table with one row's message and the given columns of it replaced."""
    messages = list(table.messages)
    messages[row] = message
    changed: dict[str, Any] = {"messages": tuple(messages)}
    known = {each.name for each in fields(table)}
    for name, value in values.items():
        if name not in known:
            raise KeyError(name)
        column = getattr(table, name).copy()
        column[row] = value
        changed[name] = column
    return replace(table, **changed)


_NOT_FROM_ROWS = frozenset({"messages", "index", "offered", "free"})


def columns_of(rows: Sequence[Mapping[str, Any]], table: type) -> dict[str, IntArray]:
    """The columns of a table from its rows; an empty table has empty columns."""
    names = [each.name for each in fields(table) if each.name not in _NOT_FROM_ROWS]
    return {
        name: np.array([row[name] for row in rows], dtype=np.int64).reshape(len(rows))
        for name in names
    }


def grade_rank(grade: str) -> int:
    """Grades above E of an organization's grade."""
    return GRADES.index(grade or NEW_GRADE)


def least_rank(grade: str) -> int:
    """The least rank that a requirement accepts; none asked accepts all."""
    return GRADES.index(grade) if grade else 0
