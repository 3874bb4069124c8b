"""How spare capacity is used, by week and capability: offered, held and agreed, in ticks."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.registry.domain import periods
from services.registry.domain.ledger import Balance

BACK, AHEAD = 12, 25


@dataclass(slots=True)
class Use:
    """How much was offered, and of this is held and agreed."""

    offered: int = 0
    held: int = 0
    agreed: int = 0


Totals = dict[tuple[str, str], Use]
"""By week and capability."""


def add(
    totals: Totals,
    capability: str,
    balances: Mapping[str, Balance],
    withdrawn: int | None,
    week: int,
) -> None:
    """Add an offer, in the weeks around ``week``; ``withdrawn`` is the week in which it was.

    After an offer was withdrawn nothing of it counts but what is still held or agreed.
    """
    for period, each in balances.items():
        number = periods.ordinal(period)
        taken = each.held + each.committed
        over = withdrawn is not None and number > withdrawn
        offered = taken if over else max(each.limit, taken)
        if offered and week - BACK <= number <= week + AHEAD:
            use = totals.setdefault((period, capability), Use())
            use.offered += offered
            use.held += each.held
            use.agreed += each.committed
