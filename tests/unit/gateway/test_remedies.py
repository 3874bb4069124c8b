"""What an explanation names is made in the posting, and only while the posting is as it was."""

from __future__ import annotations

import pytest

from services.gateway.forms import remedies
from spareline.market.v1.capability_pb2 import Unit
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.explanation_pb2 import Counterfactual, Explanation

HALF_HOURS = Unit(resolution="0.5")


def demand() -> Demand:
    made = Demand(budget=500_000)
    line = made.lines.add(id="a", limit_price=9000, quantity=40, least_quantity=30)
    line.window.earliest, line.window.latest = "2026-W48", "2026-W50"
    line.requirements.standards.extend(["ISO 9001", "IATF 16949"])
    line.requirements.least_credit_grade = "B"
    line.attributes["axes"].integer = 5
    line.reach.radius_km = 100
    line.reach.regions.append("CN-ZJ")
    return made


def change(field: str, before: str, after: str, line: str = "a") -> Counterfactual:
    return Counterfactual(field=field, line=line, to=after, **{"from": before})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "read", "value"),
    [
        (change("limit_price", "180.00", "190.00"), "limit_price", 9500),
        (change("window_latest", "2026-W50", "2026-W52"), "window.latest", "2026-W52"),
        (change("window_earliest", "2026-W48", "2026-W47"), "window.earliest", "2026-W47"),
        (change("max_partners", "1", "2"), "sourcing.max_partners", 2),
        (change("least_quantity", "15", "7.5"), "least_quantity", 15),
        (change("quantity", "20", "12"), "least_quantity", 24),
        (change("standards", "ISO 9001", ""), "requirements.standards", ["IATF 16949"]),
        (change("attributes", "axes", ""), "attributes", {}),
        (change("least_credit_grade", "B", "C"), "requirements.least_credit_grade", "C"),
        (change("radius", "100", "150"), "reach.radius_km", 150),
        (change("radius", "100", "any"), "reach.radius_km", 0),
        (change("regions", "CN-ZJ", "any"), "reach.regions", []),
    ],
    ids=lambda value: value.field if isinstance(value, Counterfactual) else None,
)
def test_each_change_of_a_line(made: Counterfactual, read: str, value: object) -> None:
    found = demand()
    assert remedies.to_demand(found, made, HALF_HOURS) == ["lines"]
    now = found.lines[0]
    for part in read.split("."):
        now = getattr(now, part)
    assert now == value


def test_a_budget_and_the_terms_of_an_offer() -> None:
    found = demand()
    wider = change("budget", "5000.00", "5500.00", line="")
    assert remedies.to_demand(found, wider, Unit()) == ["budget"]
    assert found.budget == 550_000
    offer = Offer(unit_price=9000, minimum_order=20, lead_time_periods=2)
    cheaper = change("unit_price", "180.00", "171.00", line="")
    assert remedies.to_offer(offer, cheaper, HALF_HOURS) == ["unit_price"]
    sooner = change("lead_time", "2", "1", line="")
    assert remedies.to_offer(offer, sooner, HALF_HOURS) == ["lead_time_periods"]
    smaller = change("minimum_order", "10", "5", line="")
    assert remedies.to_offer(offer, smaller, HALF_HOURS) == ["minimum_order"]
    assert (offer.unit_price, offer.lead_time_periods, offer.minimum_order) == (8550, 1, 10)


@pytest.mark.parametrize(
    "made",
    [
        change("limit_price", "170.00", "190.00"),
        change("quantity", "30", "12"),
        change("budget", "1.00", "2.00", line=""),
        change("standards", "ISO 14001", ""),
        change("limit_price", "180.00", "190.00", line="gone"),
        change("something new", "1", "2"),
    ],
    ids=lambda made: f"{made.field} {made.line}",
)
def test_what_is_not_as_it_was_is_left_alone(made: Counterfactual) -> None:
    with pytest.raises(remedies.StaleError):
        remedies.to_demand(demand(), made, HALF_HOURS)


def test_only_what_the_explanation_names_is_found() -> None:
    named = [change("standards", "ISO 9001", ""), change("standards", "IATF 16949", "")]
    explanation = Explanation(counterfactuals=named)
    for each in named:
        assert remedies.find(explanation, "standards", "a", remedies.key(each)) == each
    assert remedies.find(explanation, "limit_price", "a", "1.00") is None
