"""The engine as a strategy: each call of the framework is a round, each decision a leg.

The market is laid out with the donors as demands, since the framework counts shipments per donor:
a line per kind they give, that looks for outlets; recipients are the offers, with a slot for each
kind they ask for. A shipment is the set-up of (recipient, donor), so that two kinds sent together
count once; a donor's first shipment earns back its price. The least part of a request is the
pair's minimum order. What is worth less than its shipment waits for a later call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.ppe_match.candidates import Memory, candidates, whole, with_asked
from benchmarks.ppe_match.policy import Policy
from services.matching.engine import IntArray, Market, Options, Term, solve, verify

COLUMNS: Final = ["don_id", "rec_id", "ppe", "qty"]


class NotProven(RuntimeError):  # noqa: N818 - says what is the case
    """The engine's answer does not verify."""


@dataclass(frozen=True)
class RoundSize:
    """What a round was like."""

    donations: int
    requests: int
    pairs: int
    gap: float
    seconds: float


@dataclass
class EngineStrategy:
    """A strategy of the framework; it remembers what it sent, and a run needs a fresh one."""

    policy: Policy = field(default_factory=Policy)
    memory: Memory = field(default_factory=lambda: Memory({}, set(), set()))
    rounds: list[RoundSize] = field(default_factory=list)
    __name__ = "engine_strategy"

    def __call__(
        self, date: pd.Timestamp, donors: pd.DataFrame, recipients: pd.DataFrame, m: pd.DataFrame
    ) -> pd.DataFrame:
        """Decide what is sent now: (don_id, rec_id, ppe, qty).

        Raises:
            NotProven: the engine's answer does not verify.
        """
        stock = whole(donors)
        asked = with_asked(whole(recipients), self.memory)
        pairs = candidates(date, stock, asked, m, self.memory, self.policy)
        if pairs.empty:
            return pd.DataFrame(columns=COLUMNS)
        market = market_of(stock, asked, pairs, self.policy)
        result = solve(
            market,
            Options(
                seed=self.policy.seed,
                time_limit_seconds=self.policy.seconds,
                deterministic_limit=self.policy.deterministic_limit,
                workers=self.policy.workers,
                gap_permille=10.0,
            ),
        )
        verdict = verify(market, result.quantity, result.certificate, objective=result.objective)
        if not verdict.ok:
            raise NotProven(verdict.message)
        size = RoundSize(len(stock), len(asked), len(pairs), result.gap, result.seconds)
        self.rounds.append(size)
        return self._decided(pairs, result.quantity)

    def _decided(self, pairs: pd.DataFrame, quantity: IntArray) -> pd.DataFrame:
        """The decisions, remembered."""
        sent = pairs[quantity > 0].assign(qty=quantity[quantity > 0].astype(np.float64))
        for don, rec, ppe, units in sent[COLUMNS].itertuples(index=False):
            key = (rec, ppe)
            self.memory.received[key] = self.memory.received.get(key, 0) + int(units)
            self.memory.shipped.add(don)
        return sent[COLUMNS].reset_index(drop=True)


def market_of(
    stock: pd.DataFrame, asked: pd.DataFrame, pairs: pd.DataFrame, policy: Policy
) -> Market:
    """The round's arrays; variable x of the market is row x of ``pairs``."""
    recipients, offer = np.unique(pairs["rec_id"].to_numpy(), return_inverse=True)
    slots, slot = np.unique(pairs["request"].to_numpy(), return_inverse=True)
    lines, line = np.unique(pairs["donation"].to_numpy(), return_inverse=True)
    givers, demand = np.unique(stock["don_id"].to_numpy()[lines], return_inverse=True)
    kinds = np.unique(asked["ppe"].to_numpy()[slots], return_inverse=True)[1]
    setups, setup = np.unique(offer * len(givers) + demand[line], return_inverse=True)
    new = np.zeros(len(lines), dtype=np.int64)
    new[line] = pairs["new"]
    kinds_given = np.bincount(demand, minlength=len(givers))[demand]
    zero, none = np.zeros(len(pairs), np.int64), np.zeros(len(lines), np.int64)
    return Market.build(
        min_run=np.zeros(len(recipients), np.int64),
        slot_offer=np.searchsorted(recipients, asked["rec_id"].to_numpy()[slots]),
        # A slot is a kind here: every period an offer has is one more kind it asks for.
        slot_period=kinds,
        slot_capacity=asked["units"].to_numpy()[slots],
        bundle=np.zeros(len(givers), np.int64),
        budget=np.full(len(givers), -1, np.int64),
        line_demand=demand,
        line_quantity=stock["units"].to_numpy()[lines],
        line_least=none + 1,
        line_max_partners=none,
        line_least_share=none,
        pair_offer=offer,
        pair_line=line,
        pair_min_order=pairs["least"].to_numpy(),
        pair_unit_cost=zero,
        pair_fixed_cost=zero,
        pair_setup=setup,
        setup_cost=np.zeros(len(setups), np.int64),
        x_pair=np.arange(len(pairs)),
        x_slot=slot,
        terms=[
            Term.of("worth", per_tick=np.rint(pairs["tick"].to_numpy()).astype(np.int64)),
            Term.of("shipments", per_setup=np.full(len(setups), -policy.per_shipment)),
            Term.of("first shipment", per_line=new * policy.per_shipment // kinds_given),
        ],
    )
