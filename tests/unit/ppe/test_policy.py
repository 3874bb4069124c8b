"""What the replay asks of the market."""

from benchmarks.ppe import policy


def test_the_price_of_a_mile_is_the_same_by_the_kilometre() -> None:
    made = policy.emergency(per_item_mile=1000, per_shipment=7, seconds=30)
    assert made.locality_per_tick_1000km == 621_371  # 1000 fen a mile, times 621.371 miles
    assert made.partner_penalty == 7
    assert not made.HasField("schedule")
    assert not made.HasField("debounce")
