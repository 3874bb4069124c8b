"""Why a demand's partners were chosen: what else there was, and what is lost without them.

The loss is what the best assignment around the demand is worth less when the chosen pair may not be
used. All others are seen through the lens and those further away are kept as they are, so the true
loss is at most what is stated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.matching.domain.vocabulary import IntArray
from services.matching.explain.solution import Solution
from services.matching.explain.whatif import Clock, OutOfTimeError, WhatIf
from spareline.market.v1 import disclosure_pb2
from spareline.matching.v1.explanation_pb2 import Alternative, Choice

MOST_ALTERNATIVES = 3

_OPEN = frozenset(
    {
        disclosure_pb2.DISCLOSURE_LEVEL_UNSPECIFIED,
        disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC,
    }
)


def choices(whatif: WhatIf, demand: int) -> list[Choice]:
    """One choice per leg of the demand's proposal, in the order of the legs; nothing is solved."""
    solution = whatif.solution
    found = []
    for leg, pair in enumerate(_legs(solution, demand)):
        line = int(solution.market.pair_line[pair])
        others = _others(solution, line)
        count = len(others)
        if solution.problem.shortlist_of(line):
            count = max(count, int(solution.problem.line_funnels.eligible[line]) - 1)
        made = Choice(
            line=solution.problem.tables.lines.messages[line].id,
            leg=leg,
            alternatives=count,
            next=[_alternative(whatif, pair, other) for other in others[:MOST_ALTERNATIVES]],
        )
        found.append(made)
    return found


def without_each(whatif: WhatIf, demand: int, made: Sequence[Choice], clock: Clock) -> None:
    """Solve again without each of the demand's partners, while the clock runs."""
    for pair, choice in zip(_legs(whatif.solution, demand), made, strict=True):
        _without(whatif, demand, pair, choice, clock)


def _legs(solution: Solution, demand: int) -> list[int]:
    """Pairs that serve the demand, in the order of its proposal's legs."""
    lines = np.array(solution.problem.lines_of(demand), dtype=np.int64)
    pairs = np.sort(solution.pairs_by_line.of(lines))
    used: list[int] = pairs[solution.pair_ticks[pairs] > 0].tolist()
    return used


def _without(whatif: WhatIf, demand: int, pair: int, made: Choice, clock: Clock) -> None:
    try:
        left = whatif.without(demand, pair, clock)
    except OutOfTimeError:
        left = whatif.given_up(demand, pair)
    if left is not None:
        made.otherwise = "next_best" if left.served else "unserved"
        made.market_loss, made.own_loss = left.market_loss, left.own_loss


def _others(solution: Solution, line: int) -> list[int]:
    """Pairs of the line that are not used, best first."""
    pairs = solution.pairs_by_line.of(np.array([line]))
    free = pairs[solution.pair_ticks[pairs] == 0]
    order = np.argsort(-solution.tick_worth[free], kind="stable")
    found: list[int] = free[order].tolist()
    return found


def _alternative(whatif: WhatIf, chosen: int, other: int) -> Alternative:
    solution = whatif.solution
    market, pairs, tables = solution.market, solution.problem.pairs, solution.problem.tables
    offer = int(market.pair_offer[other])
    message = tables.offers.messages[offer]
    owner = tables.organizations.messages[int(tables.offers.organization[offer])]
    both = market.pair_offer[[other, chosen]]
    grades = tables.organizations.grade[tables.offers.organization[both]]
    dearer = int(market.pair_unit_cost[other] - market.pair_unit_cost[chosen])
    farther = int(pairs.distance_km[other] - pairs.distance_km[chosen])
    setup = market.setup_cost[market.pair_setup[[other, chosen]]]
    against = {
        "dearer": dearer > 0,
        "farther": farther > 0,
        "lower_grade": grades[0] < grades[1],
        "taken": _room(solution, other) < solution.pair_ticks[chosen],
        "minimum_run": _closed(solution, offer, int(solution.pair_ticks[chosen])),
        "setup": setup[0] > setup[1],
    }
    made = Alternative(
        reasons=[reason for reason, holds in against.items() if holds],
        credit_grade=owner.credit_grade,
    )
    known = message.disclosure.identity in _OPEN and owner.identity_disclosure in _OPEN
    if known:
        made.offer = message.name
        made.farther_km = max(0, farther)
        hidden = whatif.lens.private_offer[both].any()
        made.dearer_by = 0 if hidden else max(0, dearer)
    return made


def _room(solution: Solution, pair: int) -> int:
    """Ticks that nobody else has, in the periods in which the pair could be served."""
    slots: IntArray = solution.market.x_slot[solution.variables_by_pair.of(np.array([pair]))]
    return int((solution.market.slot_capacity[slots] - solution.slot_taken[slots]).sum())


def _closed(solution: Solution, offer: int, ticks: int) -> bool:
    """Whether nobody uses the offer, and these ticks alone would not open it."""
    return bool(not solution.offer_ticks[offer] and solution.market.min_run[offer] > ticks)
