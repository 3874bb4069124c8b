"""The one word for why a demand was not served, or an offer not used."""

from __future__ import annotations

import numpy as np

from services.matching.explain.solution import Solution


def demand_reason(solution: Solution, demand: int, contested: bool) -> str:
    """The outcome code of a demand that is not served whole; the first that fits."""
    problem = solution.problem
    lines = problem.lines_of(demand)
    funnels = problem.line_funnels
    if any(solution.line_ticks[line] for line in lines):
        return "partly_served"
    bundle = bool(problem.tables.demands.bundle[demand])
    hopeless = [line for line in lines if not funnels.eligible[line]]
    if bundle and 0 < len(hopeless) < len(lines):
        return "bundle_incomplete"
    if len(hopeless) == len(lines):
        unknown = all(not funnels.considered[line] for line in lines)
        return "no_capability" if unknown else "all_ineligible"
    alive = [line for line in lines if line not in hopeless]
    # What no offer could do can only be said where all of them were weighed.
    if contested and any(problem.shortlist_of(line) for line in alive):
        return "outbid"
    if _too_dear(solution, demand, alive, bundle):
        return "budget"
    short = [line for line in alive if _reachable(solution, line) < _least(solution, line)]
    if len(short) == len(alive) or (bundle and short):
        return "not_whole"
    if all(_closed(solution, line) for line in alive):
        return "below_minimum_run"
    if contested:
        return "outbid"
    return "bundle_incomplete" if bundle and len(lines) > 1 else "not_whole"


def offer_reason(solution: Solution, offer: int) -> str:
    """The outcome code of an offer that is not used."""
    funnels = solution.problem.offer_funnels
    if not funnels.considered[offer]:
        return "no_capability"
    if not funnels.eligible[offer]:
        return "all_ineligible"
    return "below_minimum_run" if solution.market.min_run[offer] > 0 else "unused"


def _least(solution: Solution, line: int) -> int:
    return int(solution.market.line_least[line])


def _reachable(solution: Solution, line: int) -> int:
    """The most ticks that as many offers as the line may have could deliver together."""
    market = solution.market
    own = solution.variables_by_line.of(np.array([line]))
    by_pair: dict[int, int] = {}
    for x in own.tolist():
        room = int(market.slot_capacity[market.x_slot[x]])
        pair = int(market.x_pair[x])
        by_pair[pair] = by_pair.get(pair, 0) + room
    best = sorted(by_pair.values(), reverse=True)
    return sum(best[: int(market.line_max_partners[line]) or None])


def _too_dear(solution: Solution, demand: int, lines: list[int], bundle: bool) -> bool:
    """Whether the cheapest way to serve the demand at all is above its budget."""
    market = solution.market
    budget = int(market.budget[demand])
    if budget < 0:
        return False
    costs = []
    for line in lines:
        pairs = solution.pairs_by_line.of(np.array([line]))
        once = market.pair_fixed_cost[pairs] + market.setup_cost[market.pair_setup[pairs]]
        unit = market.pair_unit_cost[pairs] * _least(solution, line)
        # A setup may be shared by the lines of a bundle, so it counts for single lines only.
        costs.append(int((unit + (0 if bundle else once)).min()))
    return (sum(costs) if bundle else min(costs)) > budget


def _closed(solution: Solution, line: int) -> bool:
    """Whether every offer for the line waits for its minimum run."""
    market = solution.market
    offers = market.pair_offer[solution.pairs_by_line.of(np.array([line]))]
    waiting = (market.min_run[offers] > 0) & (solution.offer_ticks[offers] == 0)
    return bool(waiting.all())
