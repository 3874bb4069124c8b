"""The price to pay, by the policy's rule.

``PRICE_RULE_OFFER``: the offer's price. ``PRICE_RULE_K_DOUBLE_AUCTION``: offer + k (limit -
transport - offer), rounded down to the minor unit (Chatterjee and Samuelson 1983, *Bargaining under
incomplete information*). A demand's budget is respected: where k would break it, the largest
smaller k (in thousandths) that keeps the whole cost within the budget is used for that demand; at
k = 0 it is the offer's price, which the assignment keeps within the budget.
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


def rule_name(policy: Policy) -> str:
    """The rule in the words of a leg."""
    double = policy.price_rule == Policy.PRICE_RULE_K_DOUBLE_AUCTION
    return K_DOUBLE_AUCTION if double else OFFER


def k_price(leg: Terms, k_permille: int) -> int:
    """The price per tick at k thousandths of the surplus; never below the offer's price."""
    split = max(0, leg.limit_price - leg.unit_transport - leg.offer_price)
    return leg.offer_price + k_permille * split // 1000


def cost(legs: Sequence[Terms], k_permille: int) -> int:
    """What the demand pays in all, transport and setup included."""
    return sum(
        leg.quantity * (k_price(leg, k_permille) + leg.unit_transport) + leg.fixed for leg in legs
    )


def unit_prices(legs: Sequence[Terms], policy: Policy, budget: int) -> list[int]:
    """The prices per tick of a demand's legs; ``budget`` is -1 when there is none."""
    k = policy.k_permille if rule_name(policy) == K_DOUBLE_AUCTION else 0
    if 0 <= budget < cost(legs, k):
        k = _largest_within(legs, k, budget)
    return [k_price(leg, k) for leg in legs]


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
