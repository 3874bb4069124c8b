"""What is taken away from an agreement: the sheet, the PDF, the calendar, the sums of a counter."""

from __future__ import annotations

import pytest
from icalendar import Calendar
from pypdfium2 import PdfDocument

from services.gateway import agreement, agreement_pdf, calendars, terms
from services.gateway.formats import monday
from spareline.market.v1.organization_pb2 import Contact
from tests.unit.gateway import proposals

OWN = Contact(person="Pat", email="own@firm.example")


def sheet(language: str, *, buying: bool = True) -> agreement.Sheet:
    proposal, known = proposals.agreed(buying=buying), proposals.capabilities()
    return agreement.sheet(proposal, OWN, known, language)


def test_a_sheet_names_both_sides_and_how_to_reach_them() -> None:
    buyer, seller = sheet("en").sides
    assert (buyer.role, buyer.lines[0]) == ("Customer", "Pat")
    assert (seller.role, seller.lines[:2]) == ("Supplier", ["王丽", "other@firm.example"])


def test_transport_is_on_the_sheet_of_whoever_pays_it() -> None:
    assert len(sheet("en").totals) == 2
    assert len(sheet("en", buying=False).totals) == 1


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ["协议单", "五轴铣削", "湖畔泵业", "15 机时", "王丽", "¥3,200", "签章"]),
        (
            "en",
            ["Agreement", "5-axis milling", "湖畔泵业", "15 machine hours", "Supplier", "¥3,200"],
        ),
    ],
)
def test_the_pdf_holds_the_text_in_both_languages(language: str, words: list[str]) -> None:
    made = agreement_pdf.pdf(sheet(language))
    [page] = PdfDocument(made)
    text = page.get_textpage().get_text_range()
    assert [word for word in words if word not in text] == []
    assert b"NotoSansSC" in made  # the typeface goes with it


def test_a_long_agreement_goes_on_over_pages() -> None:
    made = sheet("zh")
    made.items[0].rows[:0] = [("第50周", "1 机时", "¥90")] * 80
    assert len(PdfDocument(agreement_pdf.pdf(made))) > 1


def test_a_calendar_has_each_week_as_whole_days() -> None:
    made = calendars.calendar(
        [proposals.agreed()], proposals.capabilities(), "zh", "https://market.example"
    )
    first, last = Calendar.from_ical(made).events
    assert first.start == monday("2026-W49")
    assert (last.end - last.start).days == 7
    assert first["SUMMARY"] == "五轴铣削：10 机时，供给方 Zhenhai Precision"
    assert first["URL"] == "https://market.example/proposals/r1/p1"
    assert len({first["UID"], last["UID"]}) == 2


def test_a_feed_leaves_out_what_is_long_over() -> None:
    made = calendars.calendar(
        [proposals.agreed(buying=False)], proposals.capabilities(), "en", "", since="2026-W50"
    )
    [left] = Calendar.from_ical(made).events
    assert left["SUMMARY"] == "5-axis milling: 5 machine hours for 湖畔泵业"


def test_a_counter_is_told_by_what_differs_and_by_its_sum() -> None:
    proposal = proposals.agreed()
    asked = proposal.counter.legs.add(leg_index=0, unit_price=8000)
    asked.deliveries.add(period="2026-W49", quantity=20)
    asked.deliveries.add(period="2026-W50", quantity=4)
    found = terms.counter(proposal)
    [change] = found.legs
    assert change.price_changes
    assert [(w.period, w.now, w.asked) for w in change.weeks] == [
        ("2026-W49", 20, 20),
        ("2026-W50", 0, 4),
        ("2026-W53", 10, 0),
    ]
    assert (found.now, found.asked) == (320_000, 24 * 8000 + 50_000)


def test_a_counter_of_the_price_alone_keeps_the_weeks() -> None:
    proposal = proposals.agreed()
    proposal.counter.legs.add(leg_index=0, unit_price=10_000)
    [change] = terms.counter(proposal).legs
    assert not change.weeks_change
    assert terms.counter(proposal).asked == 350_000
