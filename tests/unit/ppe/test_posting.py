"""A donation is a stock: what is left of it moves on, what is bound stays where it is."""

import pandas as pd

from benchmarks.ppe import policy
from benchmarks.ppe.posting import Stock


def stock(left: int) -> Stock:
    date = pd.Timestamp("2020-04-01", tz="UTC")
    return Stock("d", "organizations/d/offers/d1", "code", "gowns", date, left, "2020-W15")


def capacity(of: Stock) -> dict[str, int]:
    return {each.period: each.quantity for each in of.capacity()}


def test_a_fresh_stock_lies_whole_in_its_period() -> None:
    assert capacity(stock(10)) == {"2020-W15": 10}


def test_what_is_left_moves_on_and_what_is_bound_stays() -> None:
    moved = stock(10)
    moved.left -= 4
    moved.used["2020-W15"] = 4
    assert capacity(moved) == {"2020-W15": 10}
    moved.period = "2020-W16"
    assert capacity(moved) == {"2020-W15": 4, "2020-W16": 6}
    moved.left -= 6
    moved.used["2020-W16"] = 6
    assert capacity(moved) == {"2020-W15": 4, "2020-W16": 6}


def test_the_price_of_a_mile_is_the_same_by_the_kilometre() -> None:
    made = policy.emergency(per_item_mile=1000, per_shipment=7, seconds=30)
    assert made.locality_per_tick_1000km == 621_371  # 1000 fen a mile, times 621.371 miles
    assert made.partner_penalty == 7
    assert not made.HasField("schedule")
    assert not made.HasField("debounce")
