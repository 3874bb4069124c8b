"""The engine as a strategy: feasible, counted by the framework as it counts its own."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ppe_match import strategies
from ppe_match.testing_framework import TestingFramework

from benchmarks.ppe_match import frontier
from benchmarks.ppe_match.framework import Five, Strategy, reordered
from benchmarks.ppe_match.loop import enact, tables
from benchmarks.ppe_match.policy import Policy
from benchmarks.ppe_match.strategy import COLUMNS, EngineStrategy

KINDS = ("gowns", "masks", "gloves")
POLICY = Policy(workers=1)
FORMAT = "%Y-%m-%d %H:%M:%S.%f+00:00"


def moment(day: float) -> pd.Timestamp:
    return pd.Timestamp("2020-04-01 09:00", tz="UTC") + pd.Timedelta(days=day)


def book(seed: int, donors: int = 12, requests: int = 60) -> tuple[pd.DataFrame, ...]:
    """Donations and requests over four weeks, and distances of all pairs."""
    random = np.random.default_rng(seed)
    frames = []
    for count, who, most in ((donors, "don", 80), (requests, "rec", 60)):
        frames.append(
            pd.DataFrame(
                {
                    f"{who}_id": [f"{who}{n}" for n in random.integers(0, count // 2, count)],
                    "date": [moment(float(day)) for day in random.uniform(0, 28, count)],
                    "ppe": random.choice(KINDS, count),
                    "qty": random.integers(1, most, count).astype(float),
                }
            )
        )
    pairs = [
        (d, r, float(random.integers(5, 900)))
        for d in sorted(set(frames[0]["don_id"]))
        for r in sorted(set(frames[1]["rec_id"]))
    ]
    return *frames, pd.DataFrame(pairs, columns=["don_id", "rec_id", "distance"])


def summed(rows: pd.DataFrame, who: str) -> pd.DataFrame:
    return rows.groupby([who, "ppe"]).agg({"date": "min", "qty": "sum"}).reset_index()


@pytest.mark.parametrize("seed", range(6))
def test_decisions_are_feasible_and_keep_the_policy(seed: int) -> None:
    donors, recipients, distances = book(seed)
    giving, asking = summed(donors, "don_id"), summed(recipients, "rec_id")
    made = EngineStrategy(POLICY)(moment(28), giving, asking, distances)
    assert list(made.columns) == COLUMNS
    assert len(made)
    assert not made.duplicated(["don_id", "rec_id", "ppe"]).any()
    assert (made["qty"] > 0).all()
    given = made.groupby(["don_id", "ppe"])["qty"].sum()
    got = made.groupby(["rec_id", "ppe"])["qty"].sum()
    stock = giving.set_index(["don_id", "ppe"])["qty"]
    asked = asking.set_index(["rec_id", "ppe"])["qty"]
    assert (given <= stock.reindex(given.index)).all()
    assert (got <= asked.reindex(got.index)).all()
    assert (got >= np.ceil(asked.reindex(got.index) * POLICY.least_percent / 100)).all()
    far = made.merge(distances, on=["don_id", "rec_id"])
    assert len(far) == len(made)
    assert (far["distance"] <= POLICY.radius_miles).all()


def test_nothing_to_give_or_nothing_near_is_nothing_sent() -> None:
    donors, recipients, distances = book(1)
    giving, asking = summed(donors, "don_id"), summed(recipients, "rec_id")
    away = distances.assign(distance=POLICY.radius_miles + 1)
    assert EngineStrategy(POLICY)(moment(28), giving, asking, away).empty
    crumbs = giving.assign(qty=0.5)
    assert EngineStrategy(POLICY)(moment(28), crumbs, asking, distances).empty


def test_what_has_its_least_part_may_be_topped_up() -> None:
    giving = pd.DataFrame(
        [("d", "gowns", moment(0), 85.0)], columns=["don_id", "ppe", "date", "qty"]
    )
    asking = pd.DataFrame(
        [("r", "gowns", moment(0), 100.0)], columns=["rec_id", "ppe", "date", "qty"]
    )
    near = pd.DataFrame([("d", "r", 5.0)], columns=["don_id", "rec_id", "distance"])
    strategy = EngineStrategy(replace(POLICY, per_shipment=1000))
    assert strategy(moment(1), giving, asking, near)["qty"].tolist() == [85.0]
    more, left = giving.assign(qty=3.0), asking.assign(qty=15.0)
    assert strategy(moment(8), more, left, near)["qty"].tolist() == [3.0]
    # To one who has had nothing, three of fifteen are not worth sending.
    assert EngineStrategy(POLICY)(moment(8), more, left, near).empty


def test_two_kinds_to_one_recipient_are_one_shipment() -> None:
    """Neither kind is worth a second shipment alone: the nearer recipient of both gets both."""
    giving = pd.DataFrame(
        [("d", "gowns", moment(0), 10.0), ("d", "masks", moment(0), 10.0)],
        columns=["don_id", "ppe", "date", "qty"],
    )
    asking = pd.DataFrame(
        [("both", k, moment(0), 10.0) for k in ("gowns", "masks")]
        + [("gown", "gowns", moment(0), 10.0), ("mask", "masks", moment(0), 10.0)],
        columns=["rec_id", "ppe", "date", "qty"],
    )
    near = pd.DataFrame(
        [("d", "both", 50.0), ("d", "gown", 5.0), ("d", "mask", 5.0)],
        columns=["don_id", "rec_id", "distance"],
    )
    made = EngineStrategy(POLICY)(moment(1), giving, asking, near)
    assert made["rec_id"].tolist() == ["both", "both"]
    cheap = EngineStrategy(replace(POLICY, per_shipment=0, per_unit_mile=2000))
    assert set(cheap(moment(1), giving, asking, near)["rec_id"]) == {"gown", "mask"}


def in_framework(files: Path, rows: tuple[pd.DataFrame, ...], strategy: object) -> Five:
    names = [files / f"{name}.csv" for name in ("donors", "recipients", "distances")]
    for file, each in zip(names, rows, strict=True):
        each.to_csv(file, date_format=FORMAT, index="distance" not in each)
    framework = TestingFramework(*map(str, names), strategy=strategy)
    framework.run()
    found = framework.get_metrics().set_index("metric_name")["value"]
    labels = ("avg holding time", "avg number of shipments", "avg unit-miles")
    fills = ("fill rate", "fill rate exc zeros")
    return Five(*(float(found[label]) for label in labels + fills))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["engine", "proximity", "first come"])
def test_the_quick_loop_counts_as_the_framework(name: str, tmp_path: Path) -> None:
    rows = book(3)

    def strategy() -> Strategy:
        theirs: dict[str, Strategy] = {
            "proximity": strategies.proximity_match_strategy,
            "first come": strategies.FCFM_strategy,
        }
        return theirs.get(name) or EngineStrategy(POLICY)

    theirs = in_framework(tmp_path, rows, strategy())
    ours, units = enact(strategy(), tables(*rows), 7)
    assert units > 0
    assert np.allclose(astuple(ours), astuple(theirs))


def test_a_reordering_moves_dates_only() -> None:
    donors, _, _ = book(4)
    again = reordered(donors, 1)
    assert not again["date"].equals(donors["date"])
    assert sorted(again["date"]) == sorted(donors["date"])
    assert again.drop(columns="date").equals(donors.drop(columns="date"))
    assert reordered(donors, 1).equals(again)


def test_better_means_on_all_five() -> None:
    one = Five(10, 1.5, 50, 0.1, 0.9)
    assert one.beats(Five(11, 1.6, 51, 0.09, 0.8))
    assert not one.beats(Five(11, 1.6, 51, 0.09, 0.9))
    assert not one.beats(Five(11, 1.4, 51, 0.09, 0.8))


def test_the_frontier_is_written_whole(tmp_path: Path) -> None:
    five = Five(10, 1.5, 50, 0.1, 0.9)
    points = [frontier.Point("mile × 1", 1, 2, replace(five, fill=f), 7) for f in (0.1, 0.2)]
    rival = frontier.Point("proximity", 0, 0, five, 5)
    table, chart = frontier.write(points, [rival], tmp_path)
    assert len(pd.read_csv(table)) == 3
    text = chart.read_text()
    assert text.count("<circle") == 2 * 2 + 1
    assert text.count("proximity") == 2
    assert "nan" not in text
