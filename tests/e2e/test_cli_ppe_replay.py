"""The replay's whole way on a real market: post, clear, accept, carry the stock over, check."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.ppe import policy, published
from benchmarks.ppe.data import Data, Residual, Sites
from benchmarks.ppe.decisions import as_frame
from benchmarks.ppe.market import Access, opened
from benchmarks.ppe.replay import Replay, WeekResult
from deploy.local.stack import Stack
from spareline.matching.v1 import matching_service_pb2 as api

pytestmark = [pytest.mark.e2e, pytest.mark.thorough]


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(f"2020-04-{text} 12:00", tz="UTC")


DONORS = pd.DataFrame(
    [("d0", day("01"), "gowns", 10.0), ("d1", day("02"), "respirators", 3.0)],
    columns=["don_id", "date", "ppe", "qty"],
)
RECIPIENTS = pd.DataFrame(
    [
        ("near", day("03"), "gowns", 6.0),
        ("far", day("03"), "gowns", 6.0),
        ("near", day("03"), "respirators", 100.0),
        ("later", day("10"), "gowns", 9.0),
        ("far", day("10"), "thermometers", 1e10),
    ],
    columns=["rec_id", "date", "ppe", "qty"],
)
# About 69 miles to a degree of latitude; far is out of everybody's reach.
SITES = Sites(
    donors={"d0": (39.0, -98.0), "d1": (39.2, -98.0)},
    recipients={"near": (39.1, -98.0), "later": (39.3, -98.0), "far": (45.0, -98.0)},
    residual=Residual(0.0, 0.0, 1.0),
)
DISTANCES = pd.DataFrame(
    [
        (don, rec, abs(SITES.donors[don][0] - SITES.recipients[rec][0]) * 69.0)
        for don in SITES.donors
        for rec in SITES.recipients
    ],
    columns=["don_id", "rec_id", "distance"],
)


async def test_a_small_replay(tmp_path: Path) -> None:
    data = Data(DONORS, RECIPIENTS, DISTANCES)
    emergency = policy.emergency(per_item_mile=20_000, per_shipment=0, seconds=10)
    told: list[str] = []
    weeks: list[WeekResult] = []
    async with Stack(tmp_path) as stack:
        access = Access(
            stack.registry_address,
            stack.matching_address,
            stack.settings.operator_email,
            stack.credentials.operator_password,
        )
        async with opened(access) as market:
            before = await policy.active(market.operator)
            replay = Replay(market, data, SITES, 100.0, 100_000_000, told.append)
            result = await replay.run(emergency, list(data.weeks()), weeks.append)
            assert await policy.active(market.operator) == before
            kept = await market.operator.matching.GetPolicy(api.GetPolicyRequest(name=policy.NAME))
            assert kept.locality_per_tick_1000km == emergency.locality_per_tick_1000km
    made = {(d["don_id"], d["rec_id"], d["ppe"], d["qty"]) for d in result.decisions}
    # Six gowns go near in the first week; the four that are left go to who asks in the second.
    assert made == {
        ("d0", "near", "gowns", 6),
        ("d1", "near", "respirators", 3),
        ("d0", "later", "gowns", 4),
    }
    assert [week.units for week in weeks] == [9, 4]
    assert [week.status for week in weeks] == ["optimal", "optimal"]
    assert not result.ledger.breaches
    # Both of near's items came in one proposal.
    assert result.ledger.claims == 2
    found = published.metrics_of("x", data, as_frame(result.decisions, DISTANCES))
    assert found.units == 13
    # Gowns: 6 of 6, 0 of 6, 4 of 9; respirators 3 of 100; thermometers none.
    assert found.fill_rate == pytest.approx(((1 + 0 + 4 / 9) / 3 + 0.03 + 0) / 3)
