"""The figures of the page on utilisation, from the rows of two services."""

from __future__ import annotations

from services.gateway.handlers.utilisation import Use, merged
from spareline.matching.v1.matching_service_pb2 import DeliveredQuantity
from spareline.registry.v1.market_data_service_pb2 import UtilizationRow


def test_what_was_delivered_joins_what_was_agreed() -> None:
    rows = [
        UtilizationRow(period="2026-W48", capability="b", offered=10, held=1, agreed=4),
        UtilizationRow(period="2026-W47", capability="a", offered=40, held=0, agreed=30),
    ]
    delivered = [
        DeliveredQuantity(period="2026-W47", capability="a", quantity=12),
        DeliveredQuantity(period="2026-W40", capability="a", quantity=7),  # too long ago to show
    ]
    found = merged(rows, delivered)
    assert found == [
        Use("2026-W47", "a", 40, 0, 30, 12),
        Use("2026-W48", "b", 10, 1, 4, 0),
    ]
    assert [(use.idle, use.share) for use in found] == [(10, 750), (5, 400)]
    assert Use("2026-W48", "c").share == 0


def test_more_than_was_agreed_is_not_shown_as_delivered() -> None:
    rows = [UtilizationRow(period="2026-W48", capability="a", offered=10, agreed=4)]
    late = [DeliveredQuantity(period="2026-W48", capability="a", quantity=9)]
    assert merged(rows, late)[0].delivered == 4
