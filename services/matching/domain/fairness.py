"""The fairness ledger: who has waited, who has won, and how evenly a round served its market."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from spareline.market.v1.demand_pb2 import Demand
from spareline.matching.v1.policy_pb2 import FairnessAccount
from spareline.matching.v1.proposal_pb2 import Proposal

FULL_WAIT = 8
"""Rounds of waiting in a row at which the waiting half of the need is full."""


@dataclass(frozen=True)
class FairnessUpdate:
    """What a round changes: accounts by organization, and demands whose asked value now counts."""

    accounts: dict[str, FairnessAccount]
    newly_counted: frozenset[str]


def need_permille(account: FairnessAccount) -> int:
    """Need, 0 to 1000: half from waiting, half from the part of the asked value not won."""
    waiting = 500 * min(account.rounds_waiting, FULL_WAIT) // FULL_WAIT
    asked = account.value_asked
    missing = max(0, asked - account.value_won)
    return waiting + (500 * missing // asked if asked > 0 else 0)


def value_asked(demand: Demand) -> int:
    """What a demand is worth whole: limit price by quantity over its lines, in minor units."""
    return sum(line.limit_price * line.quantity for line in demand.lines)


def value_won(proposal: Proposal, demand: Demand) -> int:
    """What a proposal serves of it: limit price by quantity over its legs, in minor units."""
    limits = {line.id: line.limit_price for line in demand.lines}
    return sum(
        limits.get(leg.line, 0) * sum(each.quantity for each in leg.deliveries)
        for leg in proposal.legs
    )


def updated(
    accounts: Mapping[str, FairnessAccount],
    demands: Iterable[Demand],
    proposals: Iterable[Proposal],
    counted: Collection[str] = (),
) -> FairnessUpdate:
    """The accounts after a round with these open demands and these proposals.

    ``counted`` names the demands whose asked value is in the accounts already.
    """
    by_name = {demand.name: demand for demand in demands}
    won: dict[str, int] = {}
    for proposal in proposals:
        if proposal.demand in by_name:
            value = value_won(proposal, by_name[proposal.demand])
            won[owner(proposal.demand)] = won.get(owner(proposal.demand), 0) + value
    served = {owner(proposal.demand) for proposal in proposals}
    fresh = frozenset(by_name) - frozenset(counted)
    changed: dict[str, FairnessAccount] = {}
    for organization in sorted({owner(name) for name in by_name}):
        account = FairnessAccount(organization=organization)
        if organization in accounts:
            account.CopyFrom(accounts[organization])
        account.rounds_present += 1
        account.rounds_waiting = 0 if organization in served else account.rounds_waiting + 1
        account.value_won += won.get(organization, 0)
        changed[organization] = account
    for name in sorted(fresh):
        changed[owner(name)].value_asked += value_asked(by_name[name])
    for account in changed.values():
        account.need_permille = need_permille(account)
    return FairnessUpdate(changed, fresh)


def given_back(account: FairnessAccount, value: int) -> FairnessAccount:
    """The account after a proposal worth ``value`` (see `value_won`) broke."""
    changed = FairnessAccount()
    changed.CopyFrom(account)
    changed.value_won = max(0, account.value_won - value)
    changed.need_permille = need_permille(changed)
    return changed


def waits(
    before: Mapping[str, int], present: Iterable[str], served: Collection[str]
) -> dict[str, int]:
    """Rounds in a row in which each of the demands present has won nothing, after one more."""
    return {name: before.get(name, 0) + 1 for name in present if name not in served}


def by_wait(rounds: Iterable[int]) -> list[int]:
    """How many have waited 1 round, 2 to 3, 4 to 7, and 8 or more."""
    counts = [0, 0, 0, 0]
    for each in rounds:
        counts[min(each.bit_length(), 4) - 1] += 1
    return counts


def ledger_gini_permille(accounts: Iterable[FairnessAccount]) -> int:
    """Gini coefficient of the part that organizations won of what they asked over all rounds."""
    return gini_permille(
        1000 * each.value_won // each.value_asked for each in accounts if each.value_asked > 0
    )


def gini_permille(shares: Iterable[int]) -> int:
    """Gini coefficient of non-negative numbers, in thousandths, rounded down; 0 for none."""
    ordered = sorted(shares)
    total = sum(ordered)
    if not total:
        return 0
    count = len(ordered)
    ranked = sum((2 * rank - count - 1) * value for rank, value in enumerate(ordered, start=1))
    return 1000 * ranked // (count * total)


def concentration_permille(values: Iterable[int]) -> int:
    """The largest of these values as a share of all, in thousandths, rounded down."""
    found = list(values)
    total = sum(found)
    return 1000 * max(found) // total if total else 0


def hhi(values: Iterable[int]) -> int:
    """Herfindahl-Hirschman index: the sum of squared shares in percent, rounded down.

    10000 is all to one, 10000 / n is evenly to n, 0 is nothing to anyone.
    """
    found = list(values)
    total = sum(found)
    return 10_000 * sum(each * each for each in found) // (total * total) if total else 0


def owner(name: str) -> str:
    """The organization in an offer's or a demand's resource name."""
    return "/".join(name.split("/", 2)[:2])
