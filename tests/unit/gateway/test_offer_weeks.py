"""The weeks of an offer: lines, single weeks, and what is told or pasted; no form breaks it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.forms import demands, lines, offers
from services.gateway.forms.fields import Form
from services.gateway.understanding import plan
from services.registry import convert_taxonomy
from services.registry.domain.taxonomy import load_taxonomy
from spareline.market.v1.demand_pb2 import Demand, Line, Precedence, Window

TODAY = date(2026, 11, 22)
KNOWN = {each.code: convert_taxonomy.capability(each) for each in load_taxonomy()}
MILL = KNOWN["production.machining.milling.5-axis"]


def capacity(values: dict[str, object]) -> dict[str, int]:
    form = Form({"title": "A mill", "unit_price": "180", **values})
    return {each.period: each.quantity for each in offers.read(form, MILL, "en").capacity}


def test_a_week_of_its_own_stands_above_the_line_and_0_leaves_it_out() -> None:
    line: dict[str, object] = {"quantity_0": "40", "from_0": "2026-W50", "to_0": "2027-W01"}
    found = capacity(line | {"week_2026-W52": "0", "week_2026-W53": "7.5", "week_2027-W02": "1"})
    assert found == {
        "2026-W50": 80,
        "2026-W51": 80,
        "2026-W53": 15,
        "2027-W01": 80,
        "2027-W02": 2,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40 h every week until 2026-12-13, 20 in week 49", {48: 40, 49: 20, 50: 40}),
        ("每周40小时 到12月13日，第49周20小时", {48: 40, 49: 20, 50: 40}),
        ("2026-W49\t40\n2026-W50\t32.5", {49: 40, 50: 32.5}),
        ("30 Nov\t12\n7 Dec\t13", {49: 12, 50: 13}),
        ("40\t32\t0", {48: 40, 49: 32, 50: 0}),
        ("40\t32\n7\t8", {48: 40, 49: 32, 50: 7, 51: 8}),
        ("8 hours a day in week 50", {50: 40}),
        ("0.3 h in week 50", {50: 0}),  # below a tick, which is half an hour
        ("nothing of the kind", {}),
        ("2025-W01\t40", {}),  # over
    ],
)
def test_weeks_are_told_or_pasted(text: str, expected: dict[int, float]) -> None:
    found = plan.read(text, MILL.unit, TODAY)
    assert {int(week[-2:]): float(amount) for week, amount in found.items()} == expected


def test_what_is_stored_comes_back_the_same() -> None:
    for weeks in (
        {"quantity_0": "40", "from_0": "2026-W50", "to_0": "2027-W01"},
        {"week_2026-W50": "40", "week_2026-W52": "12.5"},
    ):
        form = Form({"title": "A mill", "unit_price": "180", **weeks})
        offer = offers.read(form, MILL, "en")
        assert offers.read(offers.fill(offer, MILL), MILL, "en").capacity == offer.capacity


def _demand(*before: tuple[str, str]) -> Demand:
    window = Window(earliest="2026-W50", latest="2026-W52")
    return Demand(
        title="A launch",
        lines=[
            Line(id=each, capability=MILL.code, quantity=2, limit_price=1, window=window)
            for each in ("design", "mould", "sales")
        ],
        bundle=True,
        precedences=[Precedence(before=a, after=b) for a, b in before],
    )


def test_any_order_between_lines_survives_a_form() -> None:
    for order in ([("design", "mould")], [("design", "sales"), ("mould", "sales")], []):
        stored = _demand(*order)
        again = demands.read(demands.fill(stored, KNOWN), KNOWN, "en")
        assert list(again.precedences) == list(stored.precedences)
        assert [line.id for line in again.lines] == [line.id for line in stored.lines]


def test_a_dropped_line_takes_only_its_own_order_along() -> None:
    form = demands.fill(_demand(("design", "sales"), ("mould", "sales")), KNOWN)
    lines.drop(form, 0)
    left = demands.read(form, KNOWN, "en")
    assert [line.id for line in left.lines] == ["mould", "sales"]
    assert list(left.precedences) == [Precedence(before="mould", after="sales")]


def test_a_copy_has_lines_of_its_own_and_no_week_that_is_over() -> None:
    copied = demands.copy(_demand(("design", "mould")), KNOWN, date(2027, 3, 1))
    again = demands.read(copied, KNOWN, "en")
    assert [line.id for line in again.lines] == ["line-1", "line-2", "line-3"]
    assert list(again.precedences) == [Precedence(before="line-1", after="line-2")]
    assert min(line.window.earliest for line in again.lines) >= "2027-W09"


_FIELDS = (
    "title quantity_0 from_0 to_0 quantity_7 quantity_x week_2026-W50 week_2026-W99 week_ plan "
    "unit_price setup_price minimum_order minimum_run lead_time radius grade regions standards "
    "identity attr_axes attr_materials attr_travel_x_mm attr_probing lines l0_capability "
    "l0_quantity l0_least l0_limit l0_earliest l0_latest l0_partners l0_share l0_after l1_after "
    "l0_radius l1_capability l1_quantity l1_limit l1_id budget bundle l0_attr_axes action"
)
_VALUES = (
    "1e999999 -1 ² ٣ 9999999999999999999999 0.0000000000001 NaN Infinity 2026-W50 2027-W53 "
    "9999-W01 0000-W00 1,5 ½ 99 production.machining.milling 40 0 \x00 5 aluminium"
)
_NAMES = st.sampled_from(_FIELDS.split())
_TYPED = st.one_of(st.text(max_size=30), st.sampled_from(_VALUES.split(" ")))
_FORMS: Any = st.dictionaries(
    _NAMES, st.one_of(_TYPED, st.lists(_TYPED, min_size=1, max_size=3)), max_size=25
)


@settings(max_examples=300)
@given(values=_FORMS)
def test_no_form_breaks_it_and_what_was_typed_stays(values: dict[str, Any]) -> None:
    """Whatever is sent, the form is read, and either it is right or something is marked."""
    form = Form(dict(values))
    offer = offers.read(form, MILL, "zh")
    assert form.values == values
    assert form.problems or offer.capacity
    form = Form(dict(values))
    demand = demands.read(form, KNOWN, "en")
    assert form.values == values
    assert form.problems or demand.lines
    lines.drop(form, 0)
    offers.fill_weeks(Form(dict(values)), MILL, TODAY, "en")
