"""Explanations tell the truth, and nothing that belongs to others."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.domain.book_snapshot import BookSnapshot
from services.matching.domain.eligibility import NAMES
from services.matching.domain.problem import build
from services.matching.engine import solve
from services.matching.explain import explain
from services.matching.explain.solution import Solution
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.explanation_pb2 import Counterfactual, Explanation
from spareline.matching.v1.policy_pb2 import Policy
from tests.unit.matching import books


def solved(book: BookSnapshot, policy: Policy | None = None) -> Solution:
    problem = build(book, policy or books.policy(), now_period=books.NOW)
    result = solve(problem.market)
    return Solution(problem, result.quantity)


def explained(book: BookSnapshot, seconds: float = 20.0) -> dict[str, Explanation]:
    found = explain(solved(book), "rounds/r1", 1, seconds)
    return {each.subject.split("/", 1)[1]: each for each in found}


def change(explanation: Explanation, field: str) -> Counterfactual | None:
    return next((each for each in explanation.counterfactuals if each.field == field), None)


def wanted(explanation: Explanation, field: str) -> tuple[str, str, int]:
    found = change(explanation, field)
    assert found is not None, explanation
    return getattr(found, "from"), found.to, found.size


def test_a_price_too_low_is_told_in_steps_of_a_hundredth() -> None:
    book = books.book([books.offer("a/m", price=203)], [books.demand("b/n")])
    found = explained(book)["b/demands/n"]
    assert found.outcome == "all_ineligible"
    (funnel,) = found.funnels
    assert (funnel.considered, funnel.eligible) == (1, 0)
    assert [(s.rule, s.count, s.alone) for s in funnel.steps] == [("price", 1, 1)]
    assert wanted(found, "limit_price") == ("4.00", "4.08", 20)  # 2.02 is too little
    offer = explained(book)["a/offers/m"]
    assert offer.outcome == "all_ineligible"
    assert wanted(offer, "unit_price") == ("4.06", "3.96", 25)


def test_window_standards_partners_and_radius() -> None:
    late = books.book([books.offer("a/m", capacity={10: 50})], [books.demand("b/n")])
    found = explained(late)["b/demands/n"]
    assert wanted(found, "window_latest") == (books.week(8), books.week(10), 2)
    line = books.line()
    line.requirements.standards.append("ISO 9001")
    found = explained(books.book([books.offer("a/m")], [books.demand("b/n", line)]))["b/demands/n"]
    assert wanted(found, "standards") == ("ISO 9001", "", 1)
    least = books.book([books.offer("a/m", minimum_order=55)], [books.demand("b/n")])
    assert wanted(explained(least)["b/demands/n"], "quantity") == ("20", "28", 400)
    split = [books.offer(f"{firm}/m", capacity={1: 20}) for firm in "acd"]
    found = explained(books.book(split, [books.demand("b/n")]))["b/demands/n"]
    assert wanted(found, "max_partners") == ("1", "2", 1)
    places = [books.organization("a", "CN-SH")]
    near = books.line()
    near.reach.radius_km = 100
    book = books.book([books.offer("a/m")], [books.demand("b/n", near)], places)
    assert wanted(explained(book)["b/demands/n"], "radius") == ("100", "200", 1)


def test_outbid_names_the_contest_and_rounds_the_price() -> None:
    rich = books.demand("c/n", books.line(limit=777))
    poor = books.demand("b/n", books.line(limit=200))
    book = books.book([books.offer("a/m", capacity={1: 40})], [rich, poor])
    found = explained(book)["b/demands/n"]
    assert found.outcome == "outbid"
    (contest,) = found.contests
    assert (contest.period, contest.capacity, contest.taken) == (books.week(1), 40, 40)
    assert contest.outbid_by % 2 == 0  # whole hundredths of the limit of 200
    assert contest.outbid_by == 600  # 777 is known as 800


def test_reasons() -> None:
    pooled = books.offer("a/m", minimum_run=100)
    assert (
        explained(books.book([pooled], [books.demand("b/n")]))["b/demands/n"].outcome
        == "below_minimum_run"
    )
    tight = books.demand("b/n", budget=3999)
    found = explained(books.book([books.offer("a/m")], [tight]))["b/demands/n"]
    assert found.outcome == "budget"
    assert wanted(found, "budget") == ("39.99", "40.39", 11)
    short = books.demand("b/n", books.line(partners=2))
    offers = [books.offer(f"{firm}/m", capacity={1: 15}) for firm in "acd"]
    assert explained(books.book(offers, [short]))["b/demands/n"].outcome == "not_whole"
    lines = (books.line("one"), books.line("two", code=books.DESIGN))
    bundle = books.demand("b/n", *lines, bundle=True)
    found = explained(books.book([books.offer("a/m")], [bundle]))["b/demands/n"]
    assert found.outcome == "bundle_incomplete"
    alone = explained(books.book([], [books.demand("b/n")]))["b/demands/n"]
    assert alone.outcome == "no_capability"
    part = books.demand("b/n", books.line(least=10))
    small = books.book([books.offer("a/m", capacity={1: 30})], [part])
    assert explained(small)["b/demands/n"].outcome == "partly_served"


def test_an_idle_offer_learns_what_keeps_customers_away() -> None:
    offer = books.offer("a/m", minimum_run=100, minimum_order=0)
    found = explained(books.book([offer], [books.demand("b/n")]))["a/offers/m"]
    assert found.outcome == "below_minimum_run"
    assert wanted(found, "minimum_run") == ("50", "20", 600)
    offer = books.offer("a/m", minimum_order=60)
    found = explained(books.book([offer], [books.demand("b/n")]))["a/offers/m"]
    assert wanted(found, "minimum_order") == ("30", "18", 400)
    slow = books.offer("a/m", lead_time_periods=4)
    found = explained(books.book([slow], [books.demand("b/n")]))["a/offers/m"]
    assert wanted(found, "lead_time") == ("4", "1", 3)


@pytest.mark.parametrize("seed", range(4))
def test_explanations_cover_all_and_name_none_but_public_alternatives(seed: int) -> None:
    book = books.random_book(seed)
    solution = solved(book)
    found = explain(solution, "rounds/r1", 1, 3.0)
    assert len({each.name for each in found}) == len(found)
    lines = solution.problem.tables.lines
    short = solution.line_ticks < solution.market.line_quantity
    missing = {
        solution.problem.demand_of_line(row).name
        for row in range(len(lines.messages))
        if short[row]
    }
    idle = {
        offer.name
        for row, offer in enumerate(solution.problem.tables.offers.messages)
        if not solution.offer_ticks[row]
    }
    served = {each.subject for each in found if each.outcome == "served"}
    assert {each.subject for each in found} - served == missing | idle
    assert not served & missing
    names = [organization.name for organization in book.organizations]
    for each in found:
        text = json.dumps(MessageToDict(each))
        owner = "/".join(each.subject.split("/")[:2])
        for name in names:
            told = [other.offer for choice in each.choices for other in choice.next]
            assert name == owner or text.count(f"{name}/") == sum(
                offer.startswith(f"{name}/") for offer in told
            )
            assert name == owner or f"Firm {name.split('/')[1]}" not in text
        for funnel in each.funnels:
            assert funnel.considered == funnel.eligible + sum(s.count for s in funnel.steps)
            assert [s.rule for s in funnel.steps] == [
                n for n in NAMES if n in {s.rule for s in funnel.steps}
            ]


def per_tick(price: str) -> int:
    """A price as its owner writes it, of a whole unit, in fen per tick."""
    return int(Decimal(price) * 100 * Decimal(books.RESOLUTION))


def in_ticks(quantity: str) -> int:
    return int(Decimal(quantity) / Decimal(books.RESOLUTION))


def applied(posting: Demand | Offer, found: Counterfactual) -> Demand | Offer:
    """The posting with a counterfactual taken at its word."""
    changed = type(posting)()
    changed.CopyFrom(posting)  # type: ignore[arg-type]
    if isinstance(changed, Offer):
        if found.field == "unit_price":
            changed.unit_price = per_tick(found.to)
        elif found.field == "lead_time":
            changed.lead_time_periods = int(found.to)
        else:
            setattr(changed, found.field, in_ticks(found.to))
        return changed
    if found.field == "budget":
        changed.budget = round(float(found.to) * 100)
        return changed
    line = next(each for each in changed.lines if each.id == found.line)
    if found.field == "limit_price":
        line.limit_price = per_tick(found.to)
    elif found.field.startswith("window_"):
        setattr(line.window, found.field.removeprefix("window_"), found.to)
    elif found.field == "max_partners":
        line.sourcing.max_partners = int(found.to)
    elif found.field == "standards":
        line.requirements.standards.remove(getattr(found, "from"))
    elif found.field == "radius":
        line.reach.radius_km = 0 if found.to == "any" else int(found.to)
    elif found.field == "quantity":
        line.quantity = in_ticks(found.to)
        line.least_quantity = min(line.least_quantity, line.quantity)
    else:
        assert found.field == "least_quantity", found
        line.least_quantity = in_ticks(found.to)
    return changed


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000))
def test_every_counterfactual_comes_true(seed: int) -> None:
    book = books.random_book(seed, 5, 6)
    before = solved(book)
    for found in explain(before, "rounds/r1", 1, 4.0):
        for each in found.counterfactuals:
            offers = [applied(o, each) if o.name == found.subject else o for o in book.offers]
            demands = [applied(d, each) if d.name == found.subject else d for d in book.demands]
            after = solved(
                BookSnapshot(book.capabilities, book.organizations, tuple(offers), tuple(demands))  # type: ignore[arg-type]
            )
            assert ticks(after, found.subject) > ticks(before, found.subject), (found.subject, each)


def ticks(solution: Solution, subject: str) -> int:
    tables = solution.problem.tables
    if "/offers/" in subject:
        return int(solution.offer_ticks[tables.offers.index[subject]])
    rows = solution.problem.lines_of(tables.demands.index[subject])
    return int(solution.line_ticks[rows].sum())
