"""How good a round is beyond its value: who would rather deal otherwise, who waits, who has most.

The value of what is assigned is its line's limit price, here as in the fairness ledger.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from services.matching.domain.fairness import (
    concentration_permille,
    gini_permille,
    hhi,
    owner,
)
from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.engine.blocking import blocking_pairs
from services.matching.rounds.answer import Answer
from spareline.matching.v1.policy_pb2 import FairnessAccount
from spareline.matching.v1.round_pb2 import Outcome


def line_ticks(problem: Problem, quantity: IntArray) -> IntArray:
    """Ticks that each line gets."""
    market = problem.market
    ticks = np.zeros(market.lines, dtype=np.int64)
    np.add.at(ticks, market.pair_line[market.x_pair], quantity)
    return ticks


def measure(
    problem: Problem, answer: Answer, accounts: Mapping[str, FairnessAccount], made: Outcome
) -> None:
    """Write every measure into an outcome; ``accounts`` are those after the round."""
    ticks = np.zeros(problem.market.pairs, dtype=np.int64)
    np.add.at(ticks, problem.market.x_pair, answer.quantity)
    worth = ticks * problem.tables.lines.limit_price[problem.pairs.line]
    _blocking(problem, answer, made)
    _evenness(problem, line_ticks(problem, answer.quantity), made)
    _waiting(accounts, made)
    _offerers(problem, worth, made)
    _change(problem, ticks, made)
    _nearness(problem, worth, made)


def _blocking(problem: Problem, answer: Answer, made: Outcome) -> None:
    """Pairs that block now, and before some were avoided."""
    made.blocking_pairs = int(blocking_pairs(problem.market, answer.quantity).sum())
    made.blocking_pairs_before = made.blocking_pairs
    if answer.stability is not None:
        made.blocking_pairs_before = answer.stability.before
        made.stability_cost = answer.stability.paid


def _evenness(problem: Problem, filled: IntArray, made: Outcome) -> None:
    """Gini coefficient of need met, and shares of value, by demanding organization."""
    lines, demands = problem.tables.lines, problem.tables.demands
    asked: dict[str, int] = {}
    won: dict[str, int] = {}
    for row, demand in enumerate(lines.demand.tolist()):
        name = owner(demands.messages[demand].name)
        value = int(lines.limit_price[row])
        asked[name] = asked.get(name, 0) + value * int(lines.quantity[row])
        won[name] = won.get(name, 0) + value * int(filled[row])
    met = [1000 * won[name] // asked[name] for name in asked if asked[name]]
    made.gini_permille = gini_permille(met)
    made.concentration_permille = concentration_permille(won.values())
    made.demand_hhi = hhi(won.values())


def _waiting(accounts: Mapping[str, FairnessAccount], made: Outcome) -> None:
    """Organizations with an open demand that won nothing, and how long they have waited."""
    waits = [each.rounds_waiting for each in accounts.values() if each.rounds_waiting]
    made.organizations_waiting = len(waits)
    made.longest_wait_rounds = max(waits, default=0)


def _offerers(problem: Problem, worth: IntArray, made: Outcome) -> None:
    """Shares of value by offering organization."""
    offerer = problem.tables.offers.organization[problem.pairs.offer]
    won = np.zeros(len(problem.tables.organizations.messages), dtype=np.int64)
    np.add.at(won, offerer, worth)
    made.offer_concentration_permille = concentration_permille(won.tolist())
    made.offer_hhi = hhi(won.tolist())


def _change(problem: Problem, ticks: IntArray, made: Outcome) -> None:
    """What became of the legs that this round was free to replace."""
    repeat = problem.tables.repeat
    if not repeat:
        return
    pairs, limit = problem.pairs, problem.tables.lines.limit_price
    now = {
        (int(pairs.offer[p]), int(pairs.line[p])): int(ticks[p])
        for p in np.flatnonzero(ticks).tolist()
    }
    before = sum(count * int(limit[line]) for (_, line), count in repeat.items())
    kept = sum(min(count, now.get(pair, 0)) * int(limit[pair[1]]) for pair, count in repeat.items())
    made.legs_reopened = len(repeat)
    made.legs_kept = sum(pair in now for pair in repeat)
    made.value_kept_permille = 1000 * kept // before if before else 0


def _nearness(problem: Problem, worth: IntArray, made: Outcome) -> None:
    """Mean distance by value where both places are known, and the share within a region."""
    tables, pairs = problem.tables, problem.pairs
    firms = tables.organizations
    seller = tables.offers.organization[pairs.offer]
    buyer = tables.demands.organization[tables.lines.demand[pairs.line]]
    placed = (firms.located[seller] & firms.located[buyer]) * worth
    # Python's integers: kilometres times value need not fit into 64 bits.
    total = sum(placed.tolist())
    far = sum(
        km * value for km, value in zip(pairs.distance_km.tolist(), placed.tolist(), strict=True)
    )
    made.mean_distance_km = far // total if total else 0
    known = np.array([bool(each.region) for each in firms.messages], dtype=np.bool_)
    same = known[seller] & (firms.region[seller] == firms.region[buyer])
    every = int(worth.sum())
    made.same_region_permille = 1000 * int(worth[same].sum()) // every if every else 0
