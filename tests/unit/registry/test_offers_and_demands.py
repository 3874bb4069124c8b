"""The rules of offers and demands that go beyond their protos, each by one test."""

import pytest

from services.registry.domain import demands, offers
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.capability_pb2 import AttributeValue, Codes
from spareline.market.v1.demand_pb2 import Demand, Line, Precedence, Sourcing, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity

OWNER = "organizations/acme"
MILLING = "production.machining.milling"


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture
def offer() -> Offer:
    return Offer(
        capability="production.machining",
        attributes={"materials": AttributeValue(codes=Codes(codes=["brass"]))},
        capacity=[
            PeriodQuantity(period="2026-W50", quantity=10),
            PeriodQuantity(period="2026-W51", quantity=20),
        ],
    )


@pytest.fixture
def demand() -> Demand:
    window = Window(earliest="2026-W50", latest="2026-W52")
    return Demand(
        lines=[
            Line(id=name, capability="production.machining", quantity=60, window=window)
            for name in ("design", "mould", "launch")
        ]
    )


def offer_faults(offer: Offer, taxonomy: Taxonomy) -> dict[str, int]:
    return {fault.field: fault.reason for fault in offers.faults(offer, OWNER, taxonomy)}


def demand_faults(demand: Demand, taxonomy: Taxonomy) -> dict[str, str]:
    return {fault.field: fault.said.mend for fault in demands.faults(demand, OWNER, taxonomy)}


def test_a_good_offer_and_a_good_demand_have_no_faults(
    offer: Offer, demand: Demand, taxonomy: Taxonomy
) -> None:
    assert offer_faults(offer, taxonomy) == {}
    assert demand_faults(demand, taxonomy) == {}


def test_an_unknown_capability(offer: Offer, taxonomy: Taxonomy) -> None:
    offer.capability = "production.machinng"
    assert offer_faults(offer, taxonomy) == {
        "offer.capability": reason_pb2.REASON_CAPABILITY_UNKNOWN
    }


def test_a_required_attribute_that_is_missing(offer: Offer, taxonomy: Taxonomy) -> None:
    offer.attributes.clear()
    assert offer_faults(offer, taxonomy) == {
        "offer.attributes[materials]": reason_pb2.REASON_ATTRIBUTE_INVALID
    }


def test_an_attribute_without_a_value(offer: Offer, taxonomy: Taxonomy) -> None:
    offer.attributes["tolerance_um"].Clear()
    assert "offer.attributes[tolerance_um]" in offer_faults(offer, taxonomy)


def test_a_week_that_does_not_exist(offer: Offer, taxonomy: Taxonomy) -> None:
    offer.capacity[1].period = "2025-W53"
    assert set(offer_faults(offer, taxonomy)) == {"offer.capacity[1].period"}


def test_a_week_given_twice(offer: Offer, taxonomy: Taxonomy) -> None:
    offer.capacity[1].period = "2026-W50"
    assert set(offer_faults(offer, taxonomy)) == {"offer.capacity[1].period"}


def test_periods_of_the_past_are_taken_since_old_markets_are_replayed(
    offer: Offer, taxonomy: Taxonomy
) -> None:
    offer.capacity[0].period = "2020-W15"
    assert offer_faults(offer, taxonomy) == {}


def test_no_capacity_at_all(offer: Offer, taxonomy: Taxonomy) -> None:
    for each in offer.capacity:
        each.quantity = 0
    assert set(offer_faults(offer, taxonomy)) == {"offer.capacity"}


@pytest.mark.parametrize("field", ["minimum_order", "minimum_run"])
def test_a_minimum_above_all_capacity(offer: Offer, taxonomy: Taxonomy, field: str) -> None:
    setattr(offer, field, 30)
    assert offer_faults(offer, taxonomy) == {}
    setattr(offer, field, 31)
    assert set(offer_faults(offer, taxonomy)) == {f"offer.{field}"}


@pytest.mark.parametrize("name", ["acme", "organizations/", "organizations/x/offers/y", OWNER])
def test_an_exclusion_that_names_no_other_organization(
    offer: Offer, taxonomy: Taxonomy, name: str
) -> None:
    offer.requirements.excluded_organizations.extend(["organizations/fine", name])
    assert set(offer_faults(offer, taxonomy)) == {"offer.requirements.excluded_organizations[1]"}


def test_paths_in_an_import_begin_with_the_item_s_own_fields(
    offer: Offer, taxonomy: Taxonomy
) -> None:
    offer.minimum_run = 31
    [fault] = offers.faults(offer, OWNER, taxonomy, "")
    assert fault.field == "minimum_run"


@pytest.mark.parametrize(
    ("partners", "share", "field"),
    [
        (1, 60, ""),
        (2, 30, ""),
        (0, 60, ""),
        (1, 61, "least_share"),
        (2, 31, "max_partners"),
    ],
)
def test_shares_that_do_not_fit_into_the_quantity(
    demand: Demand, taxonomy: Taxonomy, partners: int, share: int, field: str
) -> None:
    demand.lines[1].sourcing.CopyFrom(Sourcing(max_partners=partners, least_share=share))
    expected = {f"demand.lines[1].sourcing.{field}"} if field else set()
    assert set(demand_faults(demand, taxonomy)) == expected


def test_a_precedence_of_an_unknown_line(demand: Demand, taxonomy: Taxonomy) -> None:
    demand.precedences.append(Precedence(before="design", after="moulds"))
    assert demand_faults(demand, taxonomy) == {
        "demand.precedences[0].after": "Name one of: design, mould, launch"
    }


def test_precedences_in_a_ring(demand: Demand, taxonomy: Taxonomy) -> None:
    ring = [("design", "mould"), ("mould", "launch"), ("launch", "design")]
    demand.precedences.extend(Precedence(before=b, after=a) for b, a in ring)
    assert set(demand_faults(demand, taxonomy)) == {"demand.precedences"}
    del demand.precedences[2]
    assert demand_faults(demand, taxonomy) == {}


def test_a_line_that_waits_for_itself(demand: Demand, taxonomy: Taxonomy) -> None:
    demand.precedences.append(Precedence(before="mould", after="mould"))
    assert set(demand_faults(demand, taxonomy)) == {"demand.precedences"}


def test_a_later_line_that_has_to_end_before_the_earlier_can_start(
    demand: Demand, taxonomy: Taxonomy
) -> None:
    demand.precedences.append(Precedence(before="design", after="mould"))
    demand.lines[1].window.CopyFrom(Window(earliest="2026-W49", latest="2026-W50"))
    assert set(demand_faults(demand, taxonomy)) == {"demand.precedences[0].after"}


def test_preferred_and_excluded_at_once(demand: Demand, taxonomy: Taxonomy) -> None:
    demand.preferred_organizations.append("organizations/other")
    demand.excluded_organizations.append("organizations/other")
    assert set(demand_faults(demand, taxonomy)) == {"demand.preferred_organizations[0]"}


def test_a_line_asks_no_more_of_attributes_than_it_likes(
    demand: Demand, taxonomy: Taxonomy
) -> None:
    demand.lines[0].attributes["materials"].codes.codes.append("cheese")
    assert set(demand_faults(demand, taxonomy)) == {"demand.lines[0].attributes[materials]"}
