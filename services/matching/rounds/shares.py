"""What each demand and organization got in a round, so that two rounds can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.rounds import stored_json
from services.matching.rounds.quality import line_ticks
from spareline.matching.v1.round_analysis_pb2 import Shift

_FORMAT = "spareline-shares-1"


@dataclass(frozen=True)
class Shares:
    """By name: of demands the millionths of what they asked for that they got, of organizations
    that ask and that offer the value they won and sold, at limit prices, in minor units."""

    demands: Mapping[str, int]
    buyers: Mapping[str, int]
    sellers: Mapping[str, int]

    def to_bytes(self) -> bytes:
        """Compressed JSON; the same shares give the same bytes."""
        plain = {
            "demands": dict(sorted(self.demands.items())),
            "buyers": dict(sorted(self.buyers.items())),
            "sellers": dict(sorted(self.sellers.items())),
        }
        return stored_json.to_bytes(_FORMAT, plain)

    @staticmethod
    def from_bytes(data: bytes) -> Shares:
        """Read what `to_bytes` wrote.

        Raises:
            SnapshotError: the bytes are not what `to_bytes` writes.
        """
        plain = stored_json.from_bytes(_FORMAT, data)
        return Shares(plain["demands"], plain["buyers"], plain["sellers"])


def demand_shares(problem: Problem, filled: IntArray) -> IntArray:
    """Millionths of what each demand asked for that it got: the mean over its lines.

    ``filled`` are the ticks of each line.
    """
    lines = problem.tables.lines
    demands = len(problem.tables.demands.messages)
    share = np.zeros(demands, dtype=np.int64)
    np.add.at(share, lines.demand, filled * 1_000_000 // lines.quantity)
    return share // np.maximum(1, np.bincount(lines.demand, minlength=demands))


def shares_of(problem: Problem, quantity: IntArray) -> Shares:
    """The shares of an assignment; ``quantity[X]`` in ticks."""
    tables, market = problem.tables, problem.market
    filled = line_ticks(problem, quantity)
    names = [each.name for each in tables.organizations.messages]
    won = filled * tables.lines.limit_price
    buyers = np.zeros(len(names), dtype=np.int64)
    np.add.at(buyers, tables.demands.organization[tables.lines.demand], won)
    ticks = np.zeros(market.pairs, dtype=np.int64)
    np.add.at(ticks, market.x_pair, quantity)
    sellers = np.zeros(len(names), dtype=np.int64)
    worth = ticks * tables.lines.limit_price[problem.pairs.line]
    np.add.at(sellers, tables.offers.organization[problem.pairs.offer], worth)
    asking = np.unique(tables.demands.organization).tolist()
    offering = np.unique(tables.offers.organization).tolist()
    got = demand_shares(problem, filled).tolist()
    return Shares(
        {each.name: share for each, share in zip(tables.demands.messages, got, strict=True)},
        {names[row]: int(buyers[row]) for row in asking},
        {names[row]: int(sellers[row]) for row in offering},
    )


def shift(base: Mapping[str, int], other: Mapping[str, int]) -> Shift:
    """How many of those in both have more, less or the same in the other."""
    made = Shift()
    for name in base.keys() & other.keys():
        before, after = base[name], other[name]
        if before == after:
            made.unchanged += 1
        elif after > before:
            made.gained += 1
            made.newly += before == 0
        else:
            made.lost += 1
            made.no_longer += after == 0
    return made
