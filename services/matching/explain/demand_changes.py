"""The smallest single changes to a demand that would have matched it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from services.matching.domain.eligibility import NAMES
from services.matching.domain.tables import with_row
from services.matching.explain.line_changes import Kind, LineChanges
from services.matching.explain.steps import Change, money, percent_up, permille, smallest
from services.matching.explain.whatif import Clock, OutOfTimeError, WhatIf
from spareline.market.v1.demand_pb2 import Demand
from spareline.matching.v1.explanation_pb2 import Counterfactual, Explanation

# A change that alters what is served already has another value; comparing it would prove nothing.
_ALTERS_VALUE = frozenset({"limit_price", "quantity", "least_quantity"})
MOST = 6
"""Counterfactuals of one demand at most."""


def demand_changes(whatif: WhatIf, demand: int, clock: Clock, made: Explanation) -> None:
    """Add confirmed changes, found while the clock runs; of lines in order, then the budget."""
    try:
        for change in _confirmed(whatif, demand, clock):
            made.counterfactuals.append(counterfactual(change))
            if len(made.counterfactuals) == MOST:
                break
    except OutOfTimeError:
        made.unfinished = True  # what was confirmed until now stands


def counterfactual(change: Change) -> Counterfactual:
    """A change as readers see it."""
    made = Counterfactual(field=change.field, line=change.line, to=change.after, size=change.size)
    setattr(made, "from", change.before)
    return made


def _confirmed(whatif: WhatIf, demand: int, clock: Clock) -> Iterator[Change]:
    problem = whatif.solution.problem
    for row in problem.lines_of(demand):
        for kind in LineChanges(problem.tables, row).kinds():
            if _promising(whatif, row, kind):
                change = _smallest_of_line(whatif, demand, row, kind, clock)
                if change is not None:
                    yield change
    budget = _smallest_budget(whatif, demand, clock)
    if budget is not None:
        yield budget


def _promising(whatif: WhatIf, row: int, kind: Kind) -> bool:
    """Whether the funnel leaves hope for this kind of change, before anything is solved.

    A line without eligible offers needs one that only the rules of this kind keep away.
    """
    solution = whatif.solution
    ticks = int(solution.line_ticks[row])
    if ticks >= solution.market.line_quantity[row]:
        return False
    if ticks and kind.field in _ALTERS_VALUE:
        return False
    funnels = solution.problem.line_funnels
    alone = funnels.alone[row]
    gained = any(alone[NAMES.index(rule)] for rule in kind.rules)
    if kind.field in ("standards", "attributes"):
        return gained
    return bool(gained or funnels.eligible[row])


def _smallest_of_line(
    whatif: WhatIf, demand: int, row: int, kind: Kind, clock: Clock
) -> Change | None:
    # In a large book even looking for new pairs takes long, a thousand times over.
    clock.check()
    # Where no price or quantity changes, only new pairs or new periods can make a difference.
    by_pairs = kind.field not in (*_ALTERS_VALUE, "max_partners")

    def confirmed(change: Change) -> bool:
        clock.check()
        if by_pairs and not whatif.changes_pairs(change.tables, [row]):
            return False
        return whatif.demand_served(change.tables, [row], demand, clock)

    return smallest(kind.steps, kind.make, confirmed)


def _smallest_budget(whatif: WhatIf, demand: int, clock: Clock) -> Change | None:
    tables = whatif.solution.problem.tables
    old = int(tables.demands.budget[demand])
    if old < 0 or whatif.solution.demand_value[demand]:
        return None

    def make(percent: int) -> Change:
        message = Demand()
        message.CopyFrom(tables.demands.messages[demand])
        message.budget = percent_up(old, percent)
        values = {"budget": message.budget}
        changed = replace(tables, demands=with_row(tables.demands, demand, message, values))
        size = permille(old, message.budget)
        return Change("budget", "", money(old), money(message.budget), size, changed)

    def confirmed(change: Change) -> bool:
        return whatif.demand_served(change.tables, [], demand, clock)

    return smallest(range(1, 101), make, confirmed)
