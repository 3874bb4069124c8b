"""A round over the sample: what is served, and that what is not falls for the promised reason."""

from __future__ import annotations

from datetime import date

import pytest

from deploy.sample import files
from deploy.sample.files import Entry
from deploy.sample.postings import ONLY_LINE
from services.matching.engine import Status, verify
from tests.unit.sample import sample_book
from tests.unit.sample.sample_book import Cleared

DEMANDS = files.demands()
BY_ID = {entry["id"]: entry for entry in DEMANDS}
POOLS = [entry["id"] for entry in files.offers() if "pooling" in entry.get("shows", [])]
ALONE = ("attributes", "standards", "region", "price", "credit", "exclusion", "size")
"""Rules at which a demand of the sample falls and at no other."""


@pytest.fixture(scope="module")
def cleared() -> Cleared:
    return sample_book.clear()


def promised(*reasons: str) -> list[str]:
    return [entry["id"] for entry in DEMANDS if entry.get("unserved") in reasons]


def showing(feature: str) -> list[str]:
    return [entry["id"] for entry in DEMANDS if feature in entry.get("shows", [])]


def taken(cleared: Cleared, demand: str) -> dict[str, int]:
    """Ticks by line."""
    found: dict[str, int] = {}
    proposal = cleared.proposals.get(demand)
    for leg in proposal.legs if proposal is not None else []:
        ticks = sum(delivery.quantity for delivery in leg.deliveries)
        found[leg.line] = found.get(leg.line, 0) + ticks
    return found


def test_most_but_not_all_is_served(cleared: Cleared) -> None:
    assert cleared.result.status is Status.OPTIMAL
    share = len(cleared.proposals) / len(DEMANDS)
    assert 0.60 <= share <= 0.75, f"{share:.3f}"


def test_the_day_of_the_load_does_not_matter(cleared: Cleared) -> None:
    """Another day of the week, and windows that cross the end of a year."""
    later = sample_book.clear(date(2026, 12, 6))
    assert later.proposals.keys() == cleared.proposals.keys()


@pytest.mark.parametrize("demand", promised(*ALONE))
def test_falls_at_the_promised_rule_alone(cleared: Cleared, demand: str) -> None:
    assert demand not in cleared.proposals
    (row,) = cleared.rows(demand)
    assert cleared.problem.line_funnels.eligible[row] == 0
    assert set(cleared.falls(row, alone=True)) == {BY_ID[demand]["unserved"]}


@pytest.mark.parametrize("demand", promised("window"))
def test_falls_at_the_window(cleared: Cleared, demand: str) -> None:
    """Where no period is common nothing is free either, so no offer falls at the window alone."""
    assert demand not in cleared.proposals
    (row,) = cleared.rows(demand)
    assert cleared.problem.line_funnels.eligible[row] == 0
    assert cleared.falls(row, alone=False)["window"] > 0


@pytest.mark.parametrize("demand", promised("capability"))
def test_nobody_offers_the_capability(cleared: Cleared, demand: str) -> None:
    assert demand not in cleared.proposals
    (row,) = cleared.rows(demand)
    considered = int(cleared.problem.line_funnels.considered[row])
    assert cleared.falls(row, alone=False).get("capability", 0) == considered


def test_one_reason_for_the_capability_is_a_unit(cleared: Cleared) -> None:
    """Offers stand below the code that is asked, but count in another unit."""
    rows = [row for demand in promised("capability") for row in cleared.rows(demand)]
    considered = [int(cleared.problem.line_funnels.considered[row]) for row in rows]
    assert min(considered) == 0
    assert max(considered) > 0


@pytest.mark.parametrize("demand", promised("budget", "minimum run"))
def test_offers_are_eligible_but_the_demand_is_not_served(cleared: Cleared, demand: str) -> None:
    assert demand not in cleared.proposals
    (row,) = cleared.rows(demand)
    assert cleared.problem.line_funnels.eligible[row] > 0


@pytest.mark.parametrize("demand", promised("budget"))
def test_would_be_served_without_its_budget(demand: str) -> None:
    richer = sample_book.clear(change={demand: {"budget": 1_000_000}})
    assert demand in richer.proposals


def test_would_be_served_if_its_quantity_reached_the_minimum_run() -> None:
    (demand,) = promised("minimum run")
    larger = sample_book.clear(change={demand: {"quantity": 2500}})
    assert demand in larger.proposals


@pytest.mark.parametrize("demand", promised("bundle"))
def test_one_line_that_nobody_can_serve_keeps_a_bundle_from_being_met(
    cleared: Cleared, demand: str
) -> None:
    assert demand not in cleared.proposals
    eligible = cleared.eligible(demand)
    assert min(eligible) == 0
    assert max(eligible) > 0


@pytest.mark.parametrize("demand", showing("near miss"))
def test_near_misses_are_not_served(cleared: Cleared, demand: str) -> None:
    assert demand not in cleared.proposals
    (row,) = cleared.rows(demand)
    assert cleared.problem.line_funnels.eligible[row] == 0


def test_bundles_that_can_be_met_are_met_whole_and_in_sequence(cleared: Cleared) -> None:
    bundles = [entry for entry in DEMANDS if entry.get("bundle") and "unserved" not in entry]
    assert len(bundles) >= 6
    for entry in bundles:
        proposal = cleared.proposals[entry["id"]]
        assert taken(cleared, entry["id"]).keys() == {line["id"] for line in entry["lines"]}
        weeks: dict[str, list[str]] = {}
        for leg in proposal.legs:
            weeks.setdefault(leg.line, []).extend(each.period for each in leg.deliveries)
        for before, after in entry.get("sequence", []):
            assert max(weeks[before]) < min(weeks[after])
        if "budget" in entry:
            total = proposal.total_price + proposal.total_transport
            assert total <= entry["budget"] * 100


@pytest.mark.parametrize("pool", POOLS)
def test_small_demands_reach_a_minimum_run_only_together(cleared: Cleared, pool: str) -> None:
    offer = pool.replace("/", "/offers/")
    tables = cleared.problem.tables
    row = tables.offers.index[f"organizations/{offer}"]
    parts = [
        sum(delivery.quantity for delivery in leg.deliveries)
        for proposal in cleared.proposals.values()
        for leg in proposal.legs
        if leg.offer == f"organizations/{offer}"
    ]
    minimum = int(tables.offers.minimum_run[row])
    assert sum(parts) >= minimum
    assert max(parts) < minimum


def test_some_lines_are_split_over_several_partners(cleared: Cleared) -> None:
    split = [
        demand
        for demand in showing("split")
        if demand in cleared.proposals and len(cleared.proposals[demand].legs) > 1
    ]
    assert len(split) >= 4


def test_some_demands_are_served_in_part(cleared: Cleared) -> None:
    part = [
        entry["id"]
        for entry in DEMANDS
        if "least" in entry
        and 0 < sum(taken(cleared, entry["id"]).values()) < _ticks(cleared, entry)
    ]
    assert len(part) >= 3


def test_scarce_capacity_leaves_some_outbid(cleared: Cleared) -> None:
    outbid = [
        demand
        for demand in showing("scarce capacity")
        if demand not in cleared.proposals and min(cleared.eligible(demand)) > 0
    ]
    served = [demand for demand in showing("scarce capacity") if demand in cleared.proposals]
    assert len(outbid) >= 7
    assert len(served) >= 7


def test_an_emergency_comes_before_others_who_pay(cleared: Cleared) -> None:
    assert "ulm-medtec/clinic-respirators" in cleared.proposals
    assert taken(cleared, "ulm-medtec/clinic-respirators") == {ONLY_LINE: 18000}


def test_every_showcase_firm_has_proposals_to_answer(cleared: Cleared) -> None:
    parties = {p.organization for each in cleared.proposals.values() for p in each.parties}
    for entry in files.organizations():
        if "sign_in" in entry:
            assert f"organizations/{entry['id']}" in parties


def test_the_proof_of_the_round_holds(cleared: Cleared) -> None:
    verdict = verify(cleared.problem.market, cleared.result.quantity, cleared.result.certificate)
    assert verdict.ok, verdict


def _ticks(cleared: Cleared, entry: Entry) -> int:
    return int(cleared.problem.tables.lines.quantity[cleared.rows(entry["id"])].sum())
