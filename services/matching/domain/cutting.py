"""Some rows of the tables as tables of their own, so that a small problem costs little to build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from services.matching.domain.pairs import Pairs
from services.matching.domain.tables import Table, Tables
from services.matching.domain.vocabulary import IntArray
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer


@dataclass(frozen=True, eq=False)
class Cut:
    """Tables and pairs of some demands, their lines and some offers, and the rows they had."""

    tables: Tables
    pairs: Pairs
    demands: IntArray
    lines: IntArray
    offers: IntArray


def cut(tables: Tables, pairs: Pairs, demands: IntArray, lines: IntArray, offers: IntArray) -> Cut:
    """Cut out demands, all their lines and some offers, by rising rows; ``pairs`` between them.

    The index by capability is left empty: no new candidates are looked for in a cut.
    """
    new_offer = _places(offers, len(tables.offers.messages))
    new_line = _places(lines, len(tables.lines.messages))
    new_demand = _places(demands, len(tables.demands.messages))
    some_offers, some_demands = _rows(tables.offers, offers), _rows(tables.demands, demands)
    some_lines = _rows(tables.lines, lines)
    demand = new_demand[some_lines.demand]
    asking: tuple[Demand, ...] = some_demands.messages
    owners = [asking[row].name for row in demand.tolist()]
    line_names = zip(owners, (line.id for line in some_lines.messages), strict=True)
    repeat = {}
    if tables.repeat:
        for offer, line in zip(pairs.offer.tolist(), pairs.line.tolist(), strict=True):
            if (offer, line) in tables.repeat:
                key = int(new_offer[offer]), int(new_line[line])
                repeat[key] = tables.repeat[offer, line]
    small = replace(
        tables,
        offers=replace(some_offers, index=_names(some_offers.messages)),
        demands=replace(some_demands, index=_names(some_demands.messages)),
        lines=replace(
            some_lines, demand=demand, index={name: row for row, name in enumerate(line_names)}
        ),
        declined=frozenset(),
        repeat=repeat,
        below={},
    )
    inside = replace(pairs, offer=new_offer[pairs.offer], line=new_line[pairs.line])
    return Cut(small, inside.sorted(), demands, lines, offers)


def _places(rows: IntArray, size: int) -> IntArray:
    places = np.full(size, -1, dtype=np.int64)
    places[rows] = np.arange(len(rows))
    return places


def _rows(table: Table, rows: IntArray) -> Table:
    wanted = rows.tolist()
    changed: dict[str, Any] = {}
    for each in fields(table):
        value = getattr(table, each.name)
        if isinstance(value, np.ndarray):
            changed[each.name] = value[rows]
    changed["messages"] = tuple(table.messages[row] for row in wanted)
    return replace(table, **changed)


def _names(messages: Sequence[Demand | Offer]) -> dict[str, int]:
    return {each.name: row for row, each in enumerate(messages)}
