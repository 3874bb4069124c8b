"""A round's sizes and outcome, as its readers see them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.matching.domain.fairness import concentration_permille, gini_permille, owner
from services.matching.domain.problem import Problem
from services.matching.domain.vocabulary import IntArray
from services.matching.engine.blocking import blocking_pairs
from services.matching.rounds.answer import Answer
from spareline.matching.v1.proposal_pb2 import Proposal
from spareline.matching.v1.round_pb2 import BookSize, Outcome


def book_size(problem: Problem, components: int = 0) -> BookSize:
    """Sizes of the problem; the number of independent parts is known once it is solved."""
    tables = problem.tables
    return BookSize(
        offers=len(tables.offers.messages),
        demands=len(tables.demands.messages),
        lines=len(tables.lines.messages),
        pairs=len(problem.pairs),
        components=components,
        pinned_proposals=problem.live.pinned,
    )


def outcome_of(problem: Problem, answer: Answer, proposals: Sequence[Proposal]) -> Outcome:
    """What a round reached. Holding its proposals may still fail; the caller counts those."""
    filled = line_ticks(problem, answer.quantity)
    lines = problem.tables.lines
    count = len(problem.tables.demands.messages)
    served = np.zeros(count, dtype=np.bool_)
    served[lines.demand[filled > 0]] = True
    short = np.zeros(count, dtype=np.bool_)
    short[lines.demand[filled < lines.quantity]] = True
    market = problem.market
    used = np.unique(market.pair_offer[market.x_pair[np.flatnonzero(answer.quantity)]])
    status = answer.status.value.lower() if answer.quantity.any() else "empty"
    made = Outcome(
        objective=answer.objective,
        upper_bound=answer.upper_bound,
        certified_bound=answer.certificate.bound,
        gap_ppm=answer.gap_ppm,
        status=status,
        demands_served=int(served.sum()),
        demands_partly_served=int((served & short).sum()),
        offers_used=len(used),
        fill_permille=_fill(problem, filled),
        proposals=len(proposals),
        solve_milliseconds=int(answer.seconds * 1000),
        reproducible=answer.reproducible,
        blocking_pairs=int(blocking_pairs(market, answer.quantity).sum()),
    )
    for name, value in answer.by_term.items():
        made.terms.add(name=name, value=value)
    _evenness(problem, filled, made)
    return made


def line_ticks(problem: Problem, quantity: IntArray) -> IntArray:
    """Ticks that each line gets."""
    market = problem.market
    ticks = np.zeros(market.lines, dtype=np.int64)
    np.add.at(ticks, market.pair_line[market.x_pair], quantity)
    return ticks


def _fill(problem: Problem, filled: IntArray) -> int:
    """Mean over demands of the mean over their lines of ticks got per tick wanted."""
    lines = problem.tables.lines
    demands = len(problem.tables.demands.messages)
    if not demands:
        return 0
    share = np.zeros(demands, dtype=np.int64)
    np.add.at(share, lines.demand, filled * 1_000_000 // lines.quantity)
    share //= np.bincount(lines.demand, minlength=demands)
    return int(share.sum()) // (1000 * demands)


def _evenness(problem: Problem, filled: IntArray, made: Outcome) -> None:
    """Gini coefficient of need met, and the largest share of value, by demanding organization."""
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
