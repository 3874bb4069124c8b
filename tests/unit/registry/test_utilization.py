"""How spare capacity is used: what counts as offered, also of offers that are over."""

from services.registry.domain import periods, utilization
from services.registry.domain.ledger import Balance
from services.registry.domain.utilization import AHEAD, BACK, Totals, Use

NOW = periods.ordinal("2026-W48")


def week(distance: int) -> str:
    return periods.week(NOW + distance)


def added(balances: dict[str, Balance], withdrawn: int | None = None) -> Totals:
    totals: Totals = {}
    utilization.add(totals, "a", balances, withdrawn, NOW)
    return totals


def test_offers_of_one_capability_add_up_by_week() -> None:
    totals = added({week(0): Balance(40, 5, 10), week(1): Balance(20, 0, 0)})
    utilization.add(totals, "a", {week(0): Balance(8, 0, 8)}, None, NOW)
    utilization.add(totals, "b", {week(0): Balance(1, 0, 0)}, None, NOW)
    assert totals == {
        (week(0), "a"): Use(48, 5, 18),
        (week(1), "a"): Use(20, 0, 0),
        (week(0), "b"): Use(1, 0, 0),
    }


def test_of_a_withdrawn_offer_only_what_is_taken_counts_afterwards() -> None:
    balances = {week(n): Balance(40, 0, 10) for n in (-1, 0, 1)} | {week(2): Balance(40, 0, 0)}
    totals = added(balances, withdrawn=NOW)
    assert {period: use.offered for (period, _), use in totals.items()} == {
        week(-1): 40,
        week(0): 40,
        week(1): 10,
    }


def test_only_the_weeks_around_now_are_told() -> None:
    whole = {week(n): Balance(1, 0, 0) for n in range(-BACK - 3, AHEAD + 4)}
    assert [p for p, _ in added(whole)] == [week(n) for n in range(-BACK, AHEAD + 1)]
