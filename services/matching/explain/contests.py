"""Which capacity a line could have used went to others, and by how much it was outbid.

``outbid_by`` compares the certificate's price of a slot with what a tick is worth to the line, and
is rounded up to the next hundredth of the line's own limit price: exact figures would give away
what the line that got the capacity is ready to pay.
"""

from __future__ import annotations

import numpy as np

from services.matching.domain import periods
from services.matching.explain.solution import Solution
from spareline.matching.v1.explanation_pb2 import Contest


def contests(solution: Solution, line: int) -> list[Contest]:
    """The contested periods of a line, by period."""
    market = solution.market
    own = np.flatnonzero(solution.x_line == line)
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
                    outbid_by=outbid_by(solution, line, xs.tolist()),
                )
            )
    return found


def outbid_by(solution: Solution, line: int, variables: list[int]) -> int:
    """Minor units per tick that the line was short of in its cheapest slot; 0 when it was not."""
    market, prices = solution.market, solution.certificate
    short = []
    for x in variables:
        price = int(prices.slot_price[market.x_slot[x]])
        worth = int(solution.tick_worth[market.x_pair[x]])
        short.append(-((worth * prices.scale - price) // prices.scale))
    weight = solution.problem.tables.policy.surplus_permille or 1000
    money = -(-max(0, min(short)) * 1000 // weight)
    step = max(1, int(solution.problem.tables.lines.limit_price[line]) // 100)
    return -(-money // step) * step
