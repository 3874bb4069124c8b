"""The explanations of a round: of what was not matched, and of why the rest was matched so."""

from __future__ import annotations

import random

import numpy as np

from services.matching.domain.explained import SERVED, explanation_name
from services.matching.explain.choices import choices, without_each
from services.matching.explain.contests import contests
from services.matching.explain.demand_changes import demand_changes
from services.matching.explain.funnels import funnel
from services.matching.explain.offer_changes import offer_changes
from services.matching.explain.reasons import demand_reason, offer_reason
from services.matching.explain.solution import Solution
from services.matching.explain.whatif import Clock, WhatIf
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.explanation_pb2 import Explanation


def explain(solution: Solution, round_name: str, seed: int, seconds: float) -> list[Explanation]:
    """Explain a round: what was not served whole or not used, and why what was served was so.

    Funnels, contests and alternatives are told of all; counterfactuals, and what would be without a
    partner, as far as the time goes. ``seconds`` is the time for these: two thirds for what was not
    matched, demands first, then offers; the rest for what was; each with an equal share, or, where
    shares would be too small for anything, those that ``seed`` puts first.
    """
    whatif = WhatIf(solution, seed)
    solution = whatif.solution
    problem = solution.problem
    short = solution.line_ticks < solution.market.line_quantity
    demands = np.unique(problem.tables.lines.demand[short]).tolist()
    idle = (solution.offer_ticks == 0) & (problem.tables.offers.free.sum(axis=1) > 0)
    offers = np.flatnonzero(idle).tolist()
    of_demand = {demand: explain_demand(whatif, demand, round_name) for demand in demands}
    of_offer = {offer: explain_offer(whatif, offer, round_name) for offer in offers}
    for demand in np.unique(problem.tables.lines.demand[solution.line_ticks > 0]).tolist():
        if demand not in of_demand:
            message = problem.tables.demands.messages[demand]
            of_demand[demand] = _blank(round_name, message, SERVED)
        of_demand[demand].choices.extend(choices(whatif, demand))
    _solve_again(whatif, demands, of_demand, of_offer, random.Random(seed), seconds)
    return [*of_demand.values(), *of_offer.values()]


def _solve_again(
    whatif: WhatIf,
    short: list[int],
    of_demand: dict[int, Explanation],
    of_offer: dict[int, Explanation],
    order: random.Random,
    seconds: float,
) -> None:
    """Add what is only known by solving again. Demands are served ``short`` or have choices."""
    whole, clock = Clock.of(seconds), Clock.of(seconds * 2 / 3)
    for done, demand in enumerate(_shuffled(short, order)):
        share = clock.share(len(short) - done + len(of_offer) // 2)
        demand_changes(whatif, demand, share, of_demand[demand])
    for done, offer in enumerate(_shuffled(list(of_offer), order)):
        offer_changes(whatif, offer, clock.share(len(of_offer) - done), of_offer[offer])
    chosen = [demand for demand, made in of_demand.items() if made.choices]
    for done, demand in enumerate(_shuffled(chosen, order)):
        share = whole.share(len(chosen) - done)
        without_each(whatif, demand, of_demand[demand].choices, share)


def _shuffled(rows: list[int], order: random.Random) -> list[int]:
    """In another order each round, so that it is not always the same firms' turn."""
    return order.sample(rows, len(rows))


def _blank(round_name: str, message: Demand | Offer, outcome: str) -> Explanation:
    return Explanation(
        name=explanation_name(round_name, message.name),
        subject=message.name,
        title=message.title,
        outcome=outcome,
        round=round_name,
    )


def explain_demand(whatif: WhatIf, demand: int, round_name: str) -> Explanation:
    """Explain why a demand was not served, or not whole."""
    solution = whatif.solution
    problem = solution.problem
    message = problem.tables.demands.messages[demand]
    lines = problem.lines_of(demand)
    made = _blank(round_name, message, "")
    for line in lines:
        ident = problem.tables.lines.messages[line].id
        shortlist = problem.shortlist_of(line)
        made.funnels.append(funnel(problem.line_funnels, line, ident, shortlist))
        if solution.line_ticks[line] < solution.market.line_quantity[line]:
            made.contests.extend(contests(whatif.lens, line))
    made.outcome = demand_reason(solution, demand, bool(made.contests))
    return made


def explain_offer(whatif: WhatIf, offer: int, round_name: str) -> Explanation:
    """Explain why an offer was not used."""
    problem = whatif.solution.problem
    message = problem.tables.offers.messages[offer]
    made = _blank(round_name, message, offer_reason(whatif.solution, offer))
    made.funnels.append(funnel(problem.offer_funnels, offer))
    return made
