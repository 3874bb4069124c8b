"""What a bidder gains by not bidding what a thing is worth to it, under each price rule.

`python -m benchmarks.shading`: markets of one good are drawn; each firm has a value or
a cost of its own, and transport lies between them. All bid honestly but one, whose limit or price
is off by a factor; the engine clears the market again and the policy prices it. Profit counts
by what the good is truly worth. Gains are in percent of the whole surplus of the bidder's honest
trades. *Best factor* gains most on average: it is what a firm would choose that knows the market,
not its rivals' bids. *Hindsight* is the mean gain of bidders who know all bids and try each factor.
The last column is the value that is left of the market's best if all shade by a tenth.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.matching.domain.pricing import Terms, unit_prices
from services.matching.engine import IntArray, Market, Options, Term, solve
from spareline.matching.v1.policy_pb2 import Policy

LOWEST, HIGHEST, MOST_TICKS, MOST_TRANSPORT = 4000, 10000, 5, 1000
# A demander's bid is its limit price, an offerer's its price: the factor on what is true.
FACTORS = (0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3)
SIDES = ("demand", "offer")
# Demands and offers of a market, and how scarce capacity is there.
KINDS = {"balanced": (12, 12), "scarce": (12, 6), "ample": (6, 12), "thin": (2, 2)}
RULES = {
    "offer's price": Policy(price_rule=Policy.PRICE_RULE_OFFER),
    "k = 0.5": Policy(price_rule=Policy.PRICE_RULE_K_DOUBLE_AUCTION, k_permille=500),
    "k = 1": Policy(price_rule=Policy.PRICE_RULE_K_DOUBLE_AUCTION, k_permille=1000),
}

COLUMNS = (
    "market",
    "price rule",
    "side",
    "honest %",
    "best factor",
    "gain %",
    "hindsight %",
    "gainers %",
    "left %",
)
ALL_SHADE = 0.1

Profits = dict[tuple[str, str], list[list[float]]]


@dataclass(frozen=True, eq=False)
class Bids:
    """What each demand would pay and each offer asks, per tick; how much; and the way between."""

    limit: IntArray
    price: IntArray
    wanted: IntArray
    capacity: IntArray
    transport: IntArray  # [demand, offer], per tick

    def changed(self, side: str, who: int, factor: float) -> Bids:
        """The same with one bid by a factor."""
        limit, price = self.limit.copy(), self.price.copy()
        array = limit if side == "demand" else price
        array[who] = round(array[who] * factor)
        return replace(self, limit=limit, price=price)

    def shaded(self, part: float) -> Bids:
        """The same with all limits lower and all prices higher by a part."""
        limit = (self.limit * (1 - part)).astype(np.int64)
        return replace(self, limit=limit, price=(self.price * (1 + part)).astype(np.int64))

    @property
    def surplus(self) -> IntArray:
        """Per tick of each (demand, offer)."""
        each: IntArray = self.limit[:, None] - self.price[None, :] - self.transport
        return each


def drawn(rng: np.random.Generator, demands: int, offers: int) -> Bids:
    """Values and costs, alike for both sides, and up to five ticks each."""
    return Bids(
        rng.integers(LOWEST, HIGHEST, demands),
        rng.integers(LOWEST, HIGHEST, offers),
        rng.integers(1, MOST_TICKS + 1, demands),
        rng.integers(1, MOST_TICKS + 1, offers),
        rng.integers(0, MOST_TRANSPORT, (demands, offers)),
    )


def traded(bids: Bids) -> IntArray:
    """Ticks by [demand, offer] of the best assignment by these bids."""
    line, offer = np.nonzero(bids.surplus >= 0)
    count, demands, offers = len(line), len(bids.limit), len(bids.price)
    none = np.zeros(count, dtype=np.int64)
    market = Market.build(
        min_run=np.zeros(offers, dtype=np.int64),
        slot_offer=np.arange(offers),
        slot_period=np.zeros(offers, dtype=np.int64),
        slot_capacity=bids.capacity,
        bundle=np.zeros(demands, dtype=np.int64),
        budget=np.full(demands, -1),
        line_demand=np.arange(demands),
        line_quantity=bids.wanted,
        line_least=np.ones(demands, dtype=np.int64),
        line_max_partners=np.zeros(demands, dtype=np.int64),
        line_least_share=np.zeros(demands, dtype=np.int64),
        pair_offer=offer,
        pair_line=line,
        pair_min_order=none,
        pair_unit_cost=bids.price[offer] + bids.transport[line, offer],
        pair_fixed_cost=none,
        pair_setup=np.arange(count),
        setup_cost=none,
        x_pair=np.arange(count),
        x_slot=offer,
        terms=[Term.of("surplus", per_tick=bids.surplus[line, offer])],
    )
    found = np.zeros((demands, offers), dtype=np.int64)
    found[line, offer] = solve(market, Options()).quantity
    return found


def profit(true: Bids, bids: Bids, ticks: IntArray, rule: Policy, side: str, who: int) -> float:
    """What a bidder has of its trades, at prices by the bids and worth by the truth."""
    total = 0
    for demand in [who] if side == "demand" else np.flatnonzero(ticks[:, who]).tolist():
        partners = np.flatnonzero(ticks[demand]).tolist()
        way = bids.transport[demand]
        legs = [
            Terms(
                int(bids.price[o]), int(bids.limit[demand]), int(way[o]), int(ticks[demand, o]), 0
            )
            for o in partners
        ]
        for offer, leg, price in zip(partners, legs, unit_prices(legs, rule, -1), strict=True):
            if side == "demand":
                total += leg.quantity * (int(true.limit[demand]) - leg.unit_transport - price)
            elif offer == who:
                total += leg.quantity * (price - int(true.price[who]))
    return float(total)


def tried(rng: np.random.Generator, true: Bids) -> Iterator[tuple[str, str, float, list[float]]]:
    """For one bidder of each side: rule, side, surplus of its honest trades, profit by factor."""
    for side, count in zip(SIDES, (len(true.limit), len(true.price)), strict=True):
        who = int(rng.integers(count))
        outcomes = []
        for factor in FACTORS:
            bids = true.changed(side, who, factor)
            outcomes.append((bids, traded(bids)))
        honest = outcomes[FACTORS.index(1.0)][1] * true.surplus
        surplus = float((honest[who] if side == "demand" else honest[:, who]).sum())
        for name, rule in RULES.items():
            yield name, side, surplus, [profit(true, b, t, rule, side, who) for b, t in outcomes]


def summary(profits: list[list[float]], surplus: float) -> dict[str, float]:
    """Gains over honest bids in percent of ``surplus``, that of all their honest trades."""
    table = np.array(profits)
    honest = table[:, FACTORS.index(1.0)]
    total, scale = table.sum(axis=0), 100 / max(1.0, surplus)
    best = int(np.argmax(total))
    return {
        "honest_percent": round(float(honest.sum()) * scale, 1),
        "best_factor": FACTORS[best],
        "gain_percent": round(float(total[best] - honest.sum()) * scale, 1),
        "hindsight_percent": round(float((table.max(axis=1) - honest).sum()) * scale, 1),
        "gainers_percent": round(100 * float((table.max(axis=1) > honest).mean()), 1),
    }


def main(
    markets: Annotated[int, typer.Option(min=1, help="Markets of each kind.")] = 200,
    seed: int = 1,
    out: Path = Path("artifacts/benchmarks/shading.jsonl"),
) -> None:
    """Measure what one bidder gains by shading its bid while all others are honest."""
    console = Console()
    rng = np.random.default_rng(seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    title = f"What shading a bid gains, {markets} markets of each kind"
    table = Table(*COLUMNS, title=title)
    with out.open("a") as file:
        for kind, (demands, offers) in KINDS.items():
            found: Profits = defaultdict(list)
            surplus: dict[str, float] = defaultdict(float)
            best = left = 0
            for _ in track(range(markets), kind, console=console):
                true = drawn(rng, demands, offers)
                best += int((traded(true) * true.surplus).sum())
                left += int((traded(true.shaded(ALL_SHADE)) * true.surplus).sum())
                for rule, side, worth, row in tried(rng, true):
                    found[rule, side].append(row)
                    surplus[side] += worth / len(RULES)
            for (rule, side), rows in found.items():
                figures = summary(rows, surplus[side])
                figures["left_percent"] = round(100 * left / max(1, best), 1)
                given = {"market": kind, "rule": rule, "side": side, "markets": markets}
                file.write(json.dumps({**given, "seed": seed, **figures}) + "\n")
                table.add_row(kind, rule, side, *(f"{each:g}" for each in figures.values()))
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
