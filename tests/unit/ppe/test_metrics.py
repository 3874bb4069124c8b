"""What the platform decides is counted exactly as the package counts its own strategies."""

import numpy as np
import pandas as pd
import pytest
from ppe_match import strategies

from benchmarks.ppe import published
from benchmarks.ppe.data import Data
from benchmarks.ppe.decisions import as_frame, decided
from benchmarks.ppe.posting import Stock
from spareline.matching.v1.proposal_pb2 import Delivery, Leg, Proposal


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(f"2020-04-{text} 12:00", tz="UTC")


DONORS = pd.DataFrame(
    [
        ("d0", day("01"), "gowns", 10.0),
        ("d1", day("02"), "gowns", 4.0),
        ("d0", day("09"), "masks", 7.0),
    ],
    columns=["don_id", "date", "ppe", "qty"],
)
RECIPIENTS = pd.DataFrame(
    [
        ("r0", day("03"), "gowns", 6.0),
        ("r1", day("04"), "gowns", 8.0),
        ("r1", day("10"), "masks", 20.0),
    ],
    columns=["rec_id", "date", "ppe", "qty"],
)
DISTANCES = pd.DataFrame(
    [(d, r, 10.0 * i + j) for i, d in enumerate(("d0", "d1")) for j, r in enumerate(("r0", "r1"))],
    columns=["don_id", "rec_id", "distance"],
)
DATA = Data(DONORS, RECIPIENTS, DISTANCES)


def test_weeks_are_the_packages_weeks() -> None:
    first, second = DATA.weeks()
    assert [len(first.of(DONORS)), len(second.of(DONORS))] == [2, 1]
    assert [len(first.of(RECIPIENTS)), len(second.of(RECIPIENTS))] == [2, 1]
    assert first.period == "2020-W15"
    assert len(DATA.until(1).donors) == 2
    assert list(DATA.until(2).weeks()) == [first, second]


@pytest.mark.parametrize("name", published.STRATEGIES)
def test_the_same_decisions_count_the_same(name: str) -> None:
    """The package's decisions, sent through proposals and back, give the package's metrics."""
    theirs = published.run_strategy(name, DATA)
    rows: list[dict[str, object]] = []
    stocks = {
        f"organizations/{don}/offers/d{row}": Stock(
            don, f"organizations/{don}/offers/d{row}", "code", ppe, date, int(qty)
        )
        for row, don, date, ppe, qty in DONORS.itertuples()
    }
    open_donors, open_recipients = DONORS.copy(), RECIPIENTS.copy()
    for week in DATA.weeks():
        there = open_donors[(open_donors["date"] < week.end) & (open_donors["qty"] > 0)]
        asked = open_recipients[(open_recipients["date"] < week.end) & (open_recipients["qty"] > 0)]
        made = getattr(strategies, name)(week.end, there, asked, DISTANCES)
        proposals = []
        for don, rec, ppe, qty in made.itertuples(index=False):
            offer = there[(there["don_id"] == don) & (there["ppe"] == ppe)].index[0]
            demand = asked[(asked["rec_id"] == rec) & (asked["ppe"] == ppe)].index[0]
            open_donors.loc[offer, "qty"] -= qty
            open_recipients.loc[demand, "qty"] -= qty
            delivery = Delivery(period=week.period, quantity=int(qty))
            leg = Leg(
                offer=f"organizations/{don}/offers/d{offer}",
                line=f"r{demand}",
                deliveries=[delivery],
            )
            proposals.append(Proposal(legs=[leg]))
        rows += decided(proposals, stocks, RECIPIENTS, week)
    ours = published.metrics_of(name, DATA, as_frame(rows, DISTANCES))
    assert ours == theirs
    assert ours.fill_rate > 0
    assert {name: stock.left for name, stock in stocks.items()} == {
        f"organizations/{don}/offers/d{row}": int(open_donors.loc[row, "qty"])
        for row, don, *_ in DONORS.itertuples()
    }


def test_metrics_by_hand() -> None:
    decision = {"don_id": "d1", "rec_id": "r0", "ppe": "gowns", "date": day("08"), "qty": 3}
    found = published.metrics_of(
        "x", DATA, as_frame([{**decision, "holding_time": 6.0}], DISTANCES)
    )
    # gowns: 3 of 6 and 0 of 8, mean 0.25; masks: nothing; the mean of the two kinds.
    assert np.isclose(found.fill_rate, 0.125)
    assert (found.unit_miles, found.holding_days, found.shipments_per_donor) == (10.0, 6.0, 1.0)


def test_no_decisions_are_all_zero() -> None:
    assert published.metrics_of("x", DATA, as_frame([], DISTANCES)).units == 0
