"""What people write, English or Chinese, is understood; and no text breaks anything."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.understanding import numerals, prefill, sentence
from services.registry import convert_taxonomy
from services.registry.domain.taxonomy import load_taxonomy
from spareline.market.v1.capability_pb2 import Capability

TODAY = date(2026, 11, 22)  # a Sunday, in week 47
TAXONOMY = load_taxonomy()
MILL = "production.machining.milling.5-axis"
MOULDING = "production.injection-moulding"


def capability(code: str) -> Capability:
    found = TAXONOMY.get(code)
    assert found is not None
    return convert_taxonomy.capability(found)


def offered(text: str, code: str) -> dict[str, object]:
    return prefill.offer(sentence.read(text, TODAY), capability(code), TODAY)


def asked(text: str, code: str) -> dict[str, object]:
    return prefill.demand(sentence.read(text, TODAY), capability(code), "", TODAY)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,250.5", "1250.5"),
        ("2万", "20000"),
        ("1.5万", "15000"),
        ("20k", "20000"),
        ("forty", "40"),
        ("四十", "40"),
        ("十五", "15"),
        ("两百五", "250"),
        ("两百五十", "250"),
        ("一千零五", "1005"),
        ("三万", "30000"),
        ("半", "0.5"),
    ],
)
def test_numbers(text: str, number: str) -> None:
    assert numerals.value(text) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("五轴加工中心 每周空闲40小时", MILL),
        ("5-axis mill free 40 h a week until March", MILL),
        ("5 axis machining centre, 20 hours weekly", MILL),
        ("需要车床加工60小时，3月底前，不超过180元/小时", "production.machining.turning"),
        ("cnc lathe 20 hours a week from January to March", "production.machining.turning"),
        ("激光切割 不锈钢 3mm 每天8小时 下个月", "production.sheet-metal.laser-cutting"),
        ("livestream slots, 4 campaigns in December", "marketing.livestream-sales"),
        ("冷库200平方米 到明年3月", "logistics.warehousing.cold-store"),
        ("warehouse space 500 m2 for 3 months", "logistics.warehousing"),
        ("注塑机 每月160小时", MOULDING),
        ("need 500 pcs injection moulded ABS housings by 15 February", MOULDING),
        ("translator German 20,000 words next week", "marketing.translation"),
        ("拉伸试验 40小时 第50周", "research.testing.mechanical"),
        ("兼职高管 两天", "talent.interim-managers"),
        ("3D打印 尼龙 1000件 预算2万元", "production.additive"),
        ("¥200/h grinding 16h/week", "production.machining.grinding"),
        ("外观设计 30人天 明年1月到3月", "research.industrial-design"),
        ("weekly 25 hours EDM wire cutting", "production.machining.edm"),
        ("接下来8周每周10小时磨床", "production.machining.grinding"),
        ("forklift driver 3 days", "talent.drivers"),
        ("会计 每月两天", "management.accounting"),
        ("truck from Shanghai to Beijing", "logistics.road-freight"),
        ("someone to do our bookkeeping two days a month", "management.accounting.bookkeeping"),
    ],
)
def test_the_capability_is_found_first(text: str, code: str) -> None:
    hits = TAXONOMY.search(sentence.read(text, TODAY).words, limit=3)
    assert [hit.capability.code for hit in hits][:1] == [code]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("五轴 每周空闲40小时", ("40", "hour", "week")),
        ("每周各空闲三十小时", ("30", "hour", "week")),
        ("free 40 h a week", ("40", "hour", "week")),
        ("40h/week", ("40", "hour", "week")),
        ("weekly 12.5 hours", ("12.5", "hour", "week")),
        ("每天8小时", ("8", "hour", "day")),
        ("160 hours per month", ("160", "hour", "month")),
        ("3 days a week", ("3", "day", "week")),
        ("500 pcs", ("500", "item", "")),
        ("1000件", ("1000", "item", "")),
        ("2 t of steel", ("2", "tonne", "")),
        ("200平方米", ("200", "square_metre", "")),
        ("20 a week", ("20", "", "week")),
        ("for 6 weeks", None),
        ("5-axis", None),
    ],
)
def test_amounts(text: str, amount: tuple[str, str, str] | None) -> None:
    found = sentence.read(text, TODAY).amount
    assert (found and (str(found.number), found.family, found.rate)) == amount


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("不超过180元/小时", ("180", "hour", False)),
        ("每小时180元", ("180", "hour", False)),
        ("¥200/h", ("200", "hour", False)),
        ("at 150 yuan an hour", ("150", "hour", False)),
        ("max 3.5 yuan each", ("3.5", "", False)),
        ("预算2万元", ("20000", "", True)),
        ("RMB 99 per day", ("99", "day", False)),
        ("40 hours", None),
    ],
)
def test_prices(text: str, price: tuple[str, str, bool] | None) -> None:
    found = sentence.read(text, TODAY).price
    assert (found and (str(found.number), found.family, found.whole)) == price


def days(first: str, last: str) -> tuple[date | None, date | None]:
    return tuple(date.fromisoformat(day) if day else None for day in (first, last))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("until March", "", "2027-02-28"),
        ("before March", "", "2027-02-28"),
        ("until the end of March", "", "2027-03-31"),
        ("through end of February", "", "2027-02-28"),
        ("through March", "", "2027-03-31"),
        ("by 15 February", "", "2027-02-15"),
        ("until 2027-03-15", "", "2027-03-15"),
        ("from January to March", "2027-01-01", "2027-03-31"),
        ("in December", "2026-12-01", "2026-12-31"),
        ("next month", "2026-12-01", "2026-12-31"),
        ("next week", "2026-11-23", "2026-11-29"),
        ("for 6 weeks", "2026-11-23", "2027-01-03"),
        ("week 50", "2026-12-07", "2026-12-13"),
        ("starting 5 January", "2027-01-05", ""),
        ("next quarter", "2027-01-01", "2027-03-31"),
        ("until the end of the year", "", "2026-12-31"),
        ("到3月", "", "2027-03-31"),
        ("3月底前", "", "2027-03-31"),
        ("三月之前", "", "2027-02-28"),
        ("从下周起到一月底", "2026-11-23", "2027-01-31"),
        ("1月到3月", "2027-01-01", "2027-03-31"),
        ("明年1月到3月", "2027-01-01", "2027-03-31"),
        ("下个月", "2026-12-01", "2026-12-31"),
        ("接下来8周", "2026-11-23", "2027-01-17"),
        ("未来两个月", "2026-11-23", "2027-01-21"),
        ("第50周", "2026-12-07", "2026-12-13"),
        ("到1月15日", "", "2027-01-15"),
        ("年底前", "", "2026-12-31"),
        ("31 February", "", ""),
        ("五轴 40小时", "", ""),
    ],
)
def test_times(text: str, first: str, last: str) -> None:
    span = sentence.read(text, TODAY).span
    assert (span.first, span.last) == days(first, last)


@pytest.mark.parametrize(
    "text", ["五轴加工中心 每周空闲40小时 到2月底", "5-axis mill free 40 h a week until March"]
)
def test_an_offer_is_filled_in(text: str) -> None:
    filled = offered(text, MILL)
    assert filled["quantity_0"] == "40"
    assert (filled["from_0"], filled["to_0"]) == ("2026-W48", "2027-W08")
    assert filled["attr_axes"] == "5"


def test_what_a_machine_can_do_is_taken_over() -> None:
    for text in (
        "5-axis milling, travel X 800 mm, aluminum and titanium, no in-machine probing",
        "五轴铣削 X 轴行程80厘米 铝合金 钛合金 没有在机测量",
    ):
        filled = offered(text, MILL)
        assert filled["attr_materials"] == ["aluminium", "titanium"]
        assert filled["attr_travel_x_mm"] == "800"
        assert filled["attr_probing"] == "no"


def test_units_are_converted() -> None:
    assert (
        offered("mechanical design 20 hours a week", "research.mechanical-engineering")[
            "quantity_0"
        ]
        == "2.5"
    )
    assert asked("60 days of milling", "production.machining.milling")["quantity"] == "480"
    assert asked("milling at 1600 yuan per day", "production.machining.milling")["limit"] == "200"


def test_an_amount_in_all_is_never_promised_every_week() -> None:
    filled = offered("5-axis mill, 120 hours in December", MILL)
    weeks = 5  # 49 to 53
    assert Decimal(str(filled["quantity_0"])) * weeks <= 120
    assert (filled["from_0"], filled["to_0"]) == ("2026-W49", "2026-W53")


def test_a_demand_is_filled_in() -> None:
    filled = asked(
        "need 60 hours of milling before March, at most 260 yuan an hour",
        "production.machining.milling",
    )
    assert filled["quantity"] == "60"
    assert filled["limit"] == "260"
    assert filled["latest"] == "2027-W08"


def test_a_budget_is_no_price() -> None:
    filled = asked("铣削60小时 预算2万元", "production.machining.milling")
    assert filled["budget"] == "20000"
    assert "limit" not in filled


_ODD = (
    "五轴 加工中心 每周 40 小时 到3月 前 99999999999999 1e999 w99 第0周 0月 13月 2月31日 ¥ 元/ "
    "until from 9999-12-31 0000-00-00 week 53 千克 万 ½ ² ٣ NaN 零 半 5-axis mm % \u2028 \x00 ( ["
)
_PIECES = st.sampled_from(_ODD.split(" "))
_TEXTS: Any = st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=12).map(" ".join))


@settings(max_examples=120)
@given(text=_TEXTS, today=st.dates(date(2024, 1, 1), date(2040, 12, 31)))
def test_no_text_breaks_it(text: str, today: date) -> None:
    understood = sentence.read(text, today)
    for code in (MILL, MOULDING, "logistics.warehousing.cold-store", "finance.guarantee"):
        filled = prefill.offer(understood, capability(code), today)
        assert str(filled.get("from_0", "")) <= str(filled.get("to_0", ""))
        filled = prefill.demand(understood, capability(code), "", today)
        assert str(filled.get("earliest", "")) <= str(filled.get("latest", ""))
    TAXONOMY.search(understood.words, limit=3)
