"""Which capacity a line could have used went to others, and by how much it was outbid.

``outbid_by`` compares what a tick is worth to the line with what it is worth to the one of those
who got the capacity to whom it is worth least. What it is worth to others is known in steps (see
`lens`): exact figures, or prices of capacity, would give away what they are ready to pay.
"""

from __future__ import annotations

import numpy as np

from services.matching.domain import periods
from services.matching.domain.vocabulary import IntArray
from services.matching.explain.lens import Lens
from spareline.matching.v1.explanation_pb2 import Contest

_ENDLESS = 2**60


def contests(lens: Lens, line: int) -> list[Contest]:
    """The contested periods of a line, by period."""
    solution = lens.solution
    market = solution.market
    own = solution.variables_by_line.of(np.array([line]))
    found = []
    for period in np.unique(market.slot_period[market.x_slot[own]]).tolist():
        xs = own[market.slot_period[market.x_slot[own]] == period]
        slots = market.x_slot[xs]
        taken = int((solution.slot_taken[slots] - solution.quantity[xs]).sum())
        if taken > 0:
            found.append(
                Contest(
                    line=solution.problem.tables.lines.messages[line].id,
                    period=periods.name(period),
                    capacity=int(market.slot_capacity[slots].sum()),
                    taken=taken,
                    outbid_by=outbid_by(lens, line, xs),
                )
            )
    return found


def outbid_by(lens: Lens, line: int, variables: IntArray) -> int:
    """Minor units per tick that the line was short of in its cheapest slot; 0 when it was not."""
    solution = lens.solution
    market = solution.market
    short = []
    for x in variables.tolist():
        slot = market.x_slot[x]
        if solution.slot_taken[slot] < market.slot_capacity[slot]:
            return 0
        users = lens.users_of(int(slot))
        users = users[solution.x_line[users] != line]
        least = int(lens.known.tick_worth[market.x_pair[users]].min(initial=_ENDLESS))
        short.append(least - int(solution.tick_worth[market.x_pair[x]]))
    weight = solution.problem.tables.policy.surplus_permille or 1000
    money = -(-max(0, min(short)) * 1000 // weight)
    step = max(1, int(solution.problem.tables.lines.limit_price[line]) // 100)
    return 0 if money >= _ENDLESS // 2 else -(-money // step) * step
