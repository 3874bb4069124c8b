"""One eligibility rule, one test: each makes a pair that only this rule keeps apart."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from services.matching.domain.attributes import satisfies
from services.matching.domain.declined import Declined, declined_pair, judged_terms, turned_down
from services.matching.domain.eligibility import NAMES
from services.matching.domain.problem import Problem, build
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue, Codes, Range
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1 import proposal_pb2
from spareline.matching.v1.policy_pb2 import TransportRate
from tests.unit.matching import books


def problem_of(
    offer: Offer, demand: Demand, organizations: Iterable[Organization] = (), **more: object
) -> Problem:
    policy = books.policy(transport=[TransportRate(per_tick_1000km=100)])
    book = books.book([offer], [demand], organizations)
    return build(book, policy, now_period=books.NOW, **more)  # type: ignore[arg-type]


def only(rule: str, problem: Problem) -> None:
    """The pair falls at this rule and at no other, for the line and for the offer."""
    for funnels in (problem.line_funnels, problem.offer_funnels):
        assert funnels.considered[0] == 1
        assert funnels.eligible[0] == 0
        assert dict(zip(NAMES, funnels.first[0].tolist(), strict=True))[rule] == 1
        assert dict(zip(NAMES, funnels.alone[0].tolist(), strict=True))[rule] == 1
    assert len(problem.pairs) == 0


def test_a_plain_pair_is_eligible() -> None:
    problem = problem_of(books.offer("a/mill"), books.demand("b/need"))
    assert len(problem.pairs) == 1
    assert problem.line_funnels.eligible[0] == problem.offer_funnels.eligible[0] == 1
    assert problem.market.variables == 1


def test_capability_counts_in_the_same_unit() -> None:
    book = books.book([books.offer("a/mill")], [books.demand("b/need")])
    for capability in book.capabilities:
        if capability.code == books.FIVE_AXIS:
            other = type(capability)()
            other.CopyFrom(capability)
            other.unit.code = "part"
            rest = tuple(c for c in book.capabilities if c.code != books.FIVE_AXIS)
            book = type(book)((*rest, other), book.organizations, book.offers, book.demands)
            break
    only("capability", build(book, books.policy(), now_period=books.NOW))


def test_offers_of_another_branch_or_above_are_not_considered() -> None:
    for code in (books.TURNING, "production.machining"):
        problem = problem_of(books.offer("a/mill", code=code), books.demand("b/need"))
        assert problem.line_funnels.considered[0] == 0


def test_attributes() -> None:
    asked = {"axes": AttributeValue(integer=5)}
    line = books.line(attributes=asked)
    only("attributes", problem_of(books.offer("a/mill"), books.demand("b/need", line)))
    few = books.offer("a/mill", attributes={"axes": AttributeValue(integer=3)})
    only("attributes", problem_of(few, books.demand("b/need", line)))
    many = books.offer("a/mill", attributes={"axes": AttributeValue(integer=6)})
    assert len(problem_of(many, books.demand("b/need", line)).pairs) == 1


@pytest.mark.parametrize(
    ("rule", "offered", "asked", "holds"),
    [
        ("AT_LEAST", {"integer": 5}, {"integer": 5}, True),
        ("AT_LEAST", {"integer": 4}, {"integer": 5}, False),
        ("AT_MOST", {"integer": 5}, {"integer": 5}, True),
        ("AT_MOST", {"integer": 6}, {"integer": 5}, False),
        ("AT_MOST", {"range": Range(lowest=1, highest=2)}, {"integer": 5}, False),
        ("WITHIN", {"range": Range(lowest=1, highest=9)}, {"integer": 9}, True),
        ("WITHIN", {"range": Range(lowest=1, highest=9)}, {"integer": 10}, False),
        ("ONE_OF", {"codes": Codes(codes=["a", "b"])}, {"codes": Codes(codes=["b", "c"])}, True),
        ("ONE_OF", {"codes": Codes(codes=["a"])}, {"codes": Codes(codes=["b"])}, False),
        ("ALL_OF", {"codes": Codes(codes=["a", "b"])}, {"codes": Codes(codes=["b"])}, True),
        ("ALL_OF", {"codes": Codes(codes=["a"])}, {"codes": Codes(codes=["a", "b"])}, False),
        ("EQUALS", {"text": " Ab  c"}, {"text": "aB C"}, True),
        ("EQUALS", {"boolean": True}, {"boolean": False}, False),
        ("EQUALS", {"integer": 1}, {"boolean": True}, False),
    ],
)
def test_attribute_rules(
    rule: str, offered: dict[str, object], asked: dict[str, object], holds: bool
) -> None:
    number = AttributeSchema.Rule.Value(f"RULE_{rule}")
    have, want = AttributeValue(**offered), AttributeValue(**asked)  # type: ignore[arg-type]
    assert satisfies(number, have, want) is holds


def test_standards_both_ways() -> None:
    line = books.line()
    line.requirements.standards.append("ISO 9001")
    only("standards", problem_of(books.offer("a/mill"), books.demand("b/need", line)))
    certified = [books.organization("a", standards=["ISO 9001", "ISO 14001"])]
    assert len(problem_of(books.offer("a/m"), books.demand("b/n", line), certified).pairs) == 1
    strict = books.offer("a/mill")
    strict.requirements.standards.append("ISO 9001")
    only("standards", problem_of(strict, books.demand("b/need")))


def test_region_and_radius_both_ways() -> None:
    places = [books.organization("a", "CN-SH"), books.organization("b", "CN-ZJ")]
    line = books.line()
    line.reach.regions.append("CN-ZJ")
    only("region", problem_of(books.offer("a/m"), books.demand("b/n", line), places))
    line.reach.regions.append("CN")
    assert len(problem_of(books.offer("a/m"), books.demand("b/n", line), places).pairs) == 1
    line.reach.radius_km = 100  # Shanghai is 165 km from Hangzhou
    only("region", problem_of(books.offer("a/m"), books.demand("b/n", line), places))
    near = books.offer("a/m")
    near.reach.radius_km = 100
    only("region", problem_of(near, books.demand("b/n"), places))
    near.reach.radius_km = 170
    assert problem_of(near, books.demand("b/n"), places).pairs.distance_km.tolist() == [165]


def test_window_after_lead_time_and_within_the_horizon() -> None:
    early = books.line(window=(0, 1))
    slow = books.offer("a/m", capacity={1: 100}, lead_time_periods=2)
    only("window", problem_of(slow, books.demand("b/n", early)))
    only("window", problem_of(books.offer("a/m", capacity={2: 100}), books.demand("b/n", early)))
    far = books.line(window=(0, 40))
    only("window", problem_of(books.offer("a/m", capacity={30: 100}), books.demand("b/n", far)))


def test_price_with_transport() -> None:
    places = [books.organization("a", "CN-GD"), books.organization("b", "CN-ZJ")]
    # 1048 km at 100 a tick and 1000 km are 105.
    line, offer = books.line(limit=205), books.offer("a/m", price=100)
    problem = problem_of(offer, books.demand("b/n", line), places)
    assert problem.pairs.unit_transport.tolist() == [105]
    line.limit_price = 204
    only("price", problem_of(offer, books.demand("b/n", line), places))


def test_credit_both_ways() -> None:
    line = books.line()
    line.requirements.least_credit_grade = "A"
    only("credit", problem_of(books.offer("a/m"), books.demand("b/n", line)))
    strict = books.offer("a/m")
    strict.requirements.least_credit_grade = "A"
    only("credit", problem_of(strict, books.demand("b/n")))
    strict.requirements.least_credit_grade = "C"
    new = [books.organization("b", grade="")]  # no grade yet: the middle
    assert len(problem_of(strict, books.demand("b/n"), new).pairs) == 1


def test_exclusion_both_ways_and_never_oneself() -> None:
    excluded = books.demand("b/n", excluded_organizations=["organizations/a"])
    only("exclusion", problem_of(books.offer("a/m"), excluded))
    strict = books.offer("a/m")
    strict.requirements.excluded_organizations.append("organizations/b")
    only("exclusion", problem_of(strict, books.demand("b/n")))
    own = problem_of(books.offer("b/m"), books.demand("b/n"))
    assert len(own.pairs) == 0
    assert own.line_funnels.considered[0] == 0  # one's own are left out of the count


def test_declined_until_the_terms_change() -> None:
    offer, demand = books.offer("a/m"), books.demand("b/n")
    record = declined_pair(offer, demand.name, demand.lines[0])
    only("declined", problem_of(offer, demand, declined=[record]))
    cheaper = books.offer("a/m", price=99)
    assert len(problem_of(cheaper, demand, declined=[record]).pairs) == 1


@pytest.mark.parametrize(
    ("reason", "lifts"),
    [
        (proposal_pb2.DECLINE_REASON_PRICE, {"price", "limit"}),
        (proposal_pb2.DECLINE_REASON_TIMING, {"lead", "window", "weeks"}),
        (proposal_pb2.DECLINE_REASON_QUANTITY, {"quantity", "minimum"}),
        (proposal_pb2.DECLINE_REASON_PARTNER, set()),
        (
            proposal_pb2.DECLINE_REASON_OTHER,
            {"price", "limit", "lead", "window", "quantity", "minimum"},
        ),
    ],
    ids=["price", "timing", "quantity", "partner", "other"],
)
def test_only_what_was_turned_down_makes_a_pair_new_again(
    reason: proposal_pb2.DeclineReason.ValueType, lifts: set[str]
) -> None:
    offer, demand = books.offer("a/m"), books.demand("b/n")
    judged = judged_terms(offer, demand.lines[0])
    terms = turned_down(judged, reason, by_demander=True)
    record = Declined(offer.name, demand.name, demand.lines[0].id, terms)
    assert len(problem_of(offer, demand, declined=[record]).pairs) == 0
    other = {
        "price": (books.offer("a/m", price=99), demand),
        "limit": (offer, books.demand("b/n", books.line(limit=201))),
        "lead": (books.offer("a/m", lead_time_periods=1), demand),
        "weeks": (books.offer("a/m", capacity={2: 100}), demand),
        "window": (offer, books.demand("b/n", books.line(window=(0, 5)))),
        "quantity": (offer, books.demand("b/n", books.line(quantity=39))),
        "minimum": (books.offer("a/m", minimum_order=2), demand),
    }
    lifted = {
        name for name, pair in other.items() if len(problem_of(*pair, declined=[record]).pairs)
    }
    assert lifted == lifts


def test_a_partner_that_was_turned_down_is_out_for_the_posting_with_all_of_its_own() -> None:
    mine, other, theirs = books.demand("b/n"), books.demand("b/other"), books.offer("a/m")
    judged = judged_terms(theirs, mine.lines[0])
    partner = proposal_pb2.DECLINE_REASON_PARTNER
    by_demander = turned_down(judged, partner, by_demander=True)
    record = Declined(theirs.name, mine.name, mine.lines[0].id, by_demander)
    again = books.offer("a/second")
    assert len(problem_of(again, mine, declined=[record]).pairs) == 0
    assert len(problem_of(again, other, declined=[record]).pairs) == 1
    assert len(problem_of(books.offer("c/m"), mine, declined=[record]).pairs) == 1
    by_offerer = record._replace(terms=turned_down(judged, partner, by_demander=False))
    assert len(problem_of(theirs, other, declined=[by_offerer]).pairs) == 0
    assert len(problem_of(again, mine, declined=[by_offerer]).pairs) == 1


def test_size() -> None:
    large = books.offer("a/m", minimum_order=41)
    only("size", problem_of(large, books.demand("b/n")))
    only("size", problem_of(books.offer("a/m", capacity={1: 39}), books.demand("b/n")))
    partial = books.demand("b/n", books.line(least=10))
    assert len(problem_of(books.offer("a/m", capacity={1: 39}), partial).pairs) == 1
    split = books.demand("b/n", books.line(partners=2, share=20))
    only("size", problem_of(books.offer("a/m", capacity={1: 19}), split))
    taken = books.offer("a/m")
    taken.balances.add(period=books.week(1), capacity=100, held=50, committed=20)
    only("size", problem_of(taken, books.demand("b/n")))
