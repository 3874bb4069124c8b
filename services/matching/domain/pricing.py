"""The price to pay, by the policy's rule.

``PRICE_RULE_OFFER``: the offer's posted price. ``PRICE_RULE_K_DOUBLE_AUCTION`` (Chatterjee and
Samuelson 1983, *Bargaining under incomplete information*): the offerers get k of the demand's
surplus, the limits' value less all that is paid at the offers' own prices, transport and one-off
costs included. Each leg gets its part by what its margin (limit - transport - offer) is of all
margins, rounded down to the minor unit per tick. Where nothing falls once, that is offer + k x
margin. So no price is below the offer's or, with transport, above the limit, and the demand never
pays more than its limits' value unless it would at the offers' own prices.

A demand's budget is respected: where k would break it, the largest smaller k (in thousandths) that
keeps the whole cost within the budget is used for that demand; at k = 0 it is the offer's price,
which the assignment keeps within the budget. What the demand pays for capacity is what offerers
get: nothing is kept between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spareline.matching.v1.policy_pb2 import Policy

OFFER = "offer"
K_DOUBLE_AUCTION = "k-double-auction"


@dataclass(frozen=True)
class Terms:
    """What decides a leg's price. Money in minor units, quantity in ticks."""

    offer_price: int
    limit_price: int
    unit_transport: int
    quantity: int
    fixed: int
    """Transport and setup that fall once."""

    @property
    def margin(self) -> int:
        """What a tick is worth beyond the offer's price and transport."""
        return max(0, self.limit_price - self.unit_transport - self.offer_price)


def rule_name(policy: Policy) -> str:
    """The rule in the words of a leg."""
    double = policy.price_rule == Policy.PRICE_RULE_K_DOUBLE_AUCTION
    return K_DOUBLE_AUCTION if double else OFFER


def k_prices(legs: Sequence[Terms], k_permille: int) -> list[int]:
    """The prices per tick of a demand's legs at k thousandths of its surplus."""
    margins = sum(leg.quantity * leg.margin for leg in legs)
    surplus = max(0, margins - sum(leg.fixed for leg in legs))
    return [
        leg.offer_price + k_permille * surplus * leg.margin // (1000 * max(1, margins))
        for leg in legs
    ]


def cost(legs: Sequence[Terms], k_permille: int) -> int:
    """What the demand pays in all, transport and setup included."""
    return sum(
        leg.quantity * (price + leg.unit_transport) + leg.fixed
        for leg, price in zip(legs, k_prices(legs, k_permille), strict=True)
    )


def unit_prices(legs: Sequence[Terms], policy: Policy, budget: int) -> list[int]:
    """The prices per tick of a demand's legs; ``budget`` is -1 when there is none."""
    k = policy.k_permille if rule_name(policy) == K_DOUBLE_AUCTION else 0
    if 0 <= budget < cost(legs, k):
        k = _largest_within(legs, k, budget)
    return k_prices(legs, k)


def _largest_within(legs: Sequence[Terms], k_permille: int, budget: int) -> int:
    """The largest k below the given one that keeps the budget, by bisection: cost rises with k."""
    low, high = 0, k_permille
    while high - low > 1:
        middle = (low + high) // 2
        if cost(legs, middle) <= budget:
            low = middle
        else:
            high = middle
    return low
