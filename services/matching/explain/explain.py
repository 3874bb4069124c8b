"""The explanations of a round: for every demand not served whole and every offer not used."""

from __future__ import annotations

import numpy as np

from services.matching.domain.explained import explanation_name
from services.matching.explain.contests import contests
from services.matching.explain.demand_changes import demand_changes
from services.matching.explain.funnels import funnel
from services.matching.explain.offer_changes import offer_changes
from services.matching.explain.reasons import demand_reason, offer_reason
from services.matching.explain.solution import Solution
from services.matching.explain.whatif import Clock, WhatIf
from spareline.matching.v1.explanation_pb2 import Explanation


def explain(solution: Solution, round_name: str, seed: int, seconds: float) -> list[Explanation]:
    """Explain a round; funnels and contests for all, counterfactuals as far as the time goes.

    ``seconds`` is the time for counterfactuals: demands come first, each with an equal share of
    what is left, then offers.
    """
    whatif = WhatIf(solution, seed)
    solution = whatif.solution
    clock = Clock.of(seconds)
    problem = solution.problem
    short = solution.line_ticks < solution.market.line_quantity
    demands = np.unique(problem.tables.lines.demand[short]).tolist()
    idle = (solution.offer_ticks == 0) & (problem.tables.offers.free.sum(axis=1) > 0)
    offers = np.flatnonzero(idle).tolist()
    found = []
    for done, demand in enumerate(demands):
        share = clock.share(len(demands) - done + len(offers) // 2)
        found.append(explain_demand(whatif, demand, round_name, share))
    for done, offer in enumerate(offers):
        found.append(explain_offer(whatif, offer, round_name, clock.share(len(offers) - done)))
    return found


def explain_demand(whatif: WhatIf, demand: int, round_name: str, clock: Clock) -> Explanation:
    """Explain why a demand was not served, or not whole."""
    solution = whatif.solution
    problem = solution.problem
    message = problem.tables.demands.messages[demand]
    lines = problem.lines_of(demand)
    made = Explanation(
        name=explanation_name(round_name, message.name),
        subject=message.name,
        title=message.title,
        round=round_name,
    )
    for line in lines:
        ident = problem.tables.lines.messages[line].id
        made.funnels.append(funnel(problem.line_funnels, line, ident))
        if solution.line_ticks[line] < solution.market.line_quantity[line]:
            made.contests.extend(contests(whatif.lens, line))
    made.outcome = demand_reason(solution, demand, bool(made.contests))
    made.counterfactuals.extend(demand_changes(whatif, demand, clock))
    return made


def explain_offer(whatif: WhatIf, offer: int, round_name: str, clock: Clock) -> Explanation:
    """Explain why an offer was not used."""
    problem = whatif.solution.problem
    message = problem.tables.offers.messages[offer]
    made = Explanation(
        name=explanation_name(round_name, message.name),
        subject=message.name,
        title=message.title,
        outcome=offer_reason(whatif.solution, offer),
        round=round_name,
    )
    made.funnels.append(funnel(problem.offer_funnels, offer))
    made.counterfactuals.extend(offer_changes(whatif, offer, clock))
    return made
