"""Spreadsheets as they come: encodings, separators, dates, numbers, formulas, and bombs."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.files import cells, examples, exports, headers, sources, table_rows
from services.files.amounts import number_of, require_clear
from services.files.rows import Row
from services.files.taxonomy import Taxonomy
from services.files.weeks import week
from services.files.wording import Unreadable, Wording, WrongCell, same
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from tests.unit.files.postings import DEMAND, OFFER, TAXONOMY

PERSON = headers.wording([same], same, "en", "organizations/acme", {"zhejiang": "CN-ZJ"})


def read(text: str, wording: Wording = PERSON) -> list[Row]:
    return list(table_rows.read(sources.csv_table(text), "auto", TAXONOMY, wording))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_is_read_in_every_encoding_that_spreadsheets_write(encoding: str) -> None:
    text = "name,title\nx,五轴加工中心 每周空闲四十小时\n"
    assert sources.decoded(text.encode(encoding)) == text


def test_western_letters_are_not_taken_for_chinese() -> None:
    text = "name,title\nx,Fräsen für Söhne aus Köln\n"
    assert sources.decoded(text.encode("cp1252")) == text


@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_cells_are_divided_by_what_the_first_line_has(divider: str) -> None:
    table = sources.csv_table(f'a{divider}"b,;c"{divider}d\n1{divider}2{divider}3\n')
    assert list(table.header) == ["a", "b,;c", "d"]
    assert [list(line.cells) for line in table.lines] == [["1", "2", "3"]]
    assert table.decimal_comma == (divider == ";")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1250.5", "1250.5"),
        ("1,250.50", "1250.50"),
        ("1.250,50", "1250.50"),
        ("1 250,5", "1250.5"),
        ("1'250'000", "1250000"),
        ("1,250,000", "1250000"),
        ("12,5", "12.5"),
        ("0,125", "0.125"),
        ("１２，５００", "12500"),
        ("¥1,250", "1250"),
        ("80元", "80"),
    ],
)
def test_numbers_are_read_as_they_are_written_around_the_world(text: str, number: str) -> None:
    assert str(number_of(text)) == number


@pytest.mark.parametrize("text", ["1,25,0", "1.2.3", "12.34,56.7", "-5", "1e", "", "五"])
def test_what_is_no_number_is_none(text: str) -> None:
    with pytest.raises(WrongCell):
        number_of(text)


def test_a_number_that_can_be_read_in_two_ways_is_asked_about() -> None:
    for text in ("1,250", "1.250"):
        with pytest.raises(WrongCell):
            require_clear(text)
    for text in ("1250", "1,25", "0.125", "1.250,00"):
        require_clear(text)
    [row] = read("Capability;Title;2026-W49;Price per unit, CNY\nresearch.design;x;40;1,250\n")
    assert [problem.field for problem in row.problems] == ["unit_price_cny"]


@pytest.mark.parametrize(
    "text", ["2026-W48", "2026W48", "2026年第48周", "KW 48 2026", "2026-11-23", "29.11.2026"]
)
def test_weeks_and_days_are_weeks(text: str) -> None:
    assert week(text) == "2026-W48"


@pytest.mark.parametrize("text", ["2026-W54", "2025-W53", "48", "2026-02-30", "soon"])
def test_what_is_no_week_is_none(text: str) -> None:
    with pytest.raises(WrongCell):
        week(text)


def test_a_person_may_leave_ids_out_and_call_things_by_their_names() -> None:
    capability = Capability()
    capability.CopyFrom(TAXONOMY.capabilities["production.milling"])
    capability.display_name.zh = "铣削"
    capability.attributes[1].display_name.zh = "材料"
    capability.attributes[1].choices[0].display_name.zh = "钢"
    text = (
        'Capability,Title,2026年第49周,2026-12-07,"Price per unit, CNY",'
        "材料,Who sees: the price,Regions of the partner,Remarks\n"
    )
    text += "铣削,五轴,40,20.5,¥180,钢;aluminium,nobody,Zhejiang;DE,call me\n"
    table = sources.csv_table(text)
    taxonomy = Taxonomy({capability.code: capability})
    found = headers.Headers.of(table.header, "auto", taxonomy, PERSON)
    assert found.ignored == ("Remarks",)
    [row] = table_rows.rows(table, found, taxonomy, PERSON)
    assert row.problems == []
    offer = row.posting
    assert isinstance(offer, Offer)
    assert [(q.period, q.quantity) for q in offer.capacity] == [("2026-W49", 80), ("2026-W50", 41)]
    assert offer.unit_price == 9000
    assert list(offer.attributes["materials"].codes.codes) == ["steel", "aluminium"]
    assert list(offer.reach.regions) == ["CN-ZJ", "DE"]
    assert offer.disclosure.price
    assert offer.name == ""  # whoever takes the rows gives it one


def test_a_person_is_asked_for_what_is_missing() -> None:
    [row] = read("Id,Capability,Title,2026-W49,minimum_order\nmill-1,,,,\n,,,,\n\n")
    assert {p.field for p in row.problems} == {"capability", "title", "capacity", "unit_price_cny"}
    assert all(problem.mend for problem in row.problems)
    assert row.posting is not None
    assert row.posting.name == "organizations/acme/offers/mill-1"


def test_another_organization_is_not_written_for() -> None:
    [row] = read(
        "Id,Capability,Title,2026-W49,unit_price_cny\norganizations/x/offers/a,research.design,t,1,0\n"
    )
    assert [problem.field for problem in row.problems] == ["name"]


def test_lines_without_a_title_belong_to_the_demand_above() -> None:
    header = "Title,Line,Capability,Quantity,First week,Last week,limit_price_cny\n"
    first, second = read(
        header
        + "A pump,design,research.design,3,2026-W49,2026-W50,10\n"
        + ",mill,production.milling,x,2026-W49,2026-W50,10\n"
        + "A fan,,research.design,3,2026-11-30,2026-W51,10\n"
    )
    assert isinstance(first.posting, Demand)
    assert isinstance(second.posting, Demand)
    assert [line.id for line in first.posting.lines] == ["design", "mill"]
    assert [(p.line, p.field) for p in first.problems] == [(1, "quantity")]
    assert [line.number for line in first.lines] == [2, 3]
    assert second.posting.lines[0].id == "line-1"
    assert second.posting.lines[0].window.earliest == "2026-W49"


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-40..85", "@x", "'=1", "''=1", "＝1", "plain", "'s"]
)
def test_a_guarded_cell_comes_back_and_is_not_run(text: str) -> None:
    written = cells.guarded(text)
    assert cells.bare(written) == text
    assert written[0] not in "=+-@＝"


def test_a_formula_in_a_title_is_text_in_every_file() -> None:
    offer = Offer()
    offer.CopyFrom(OFFER)
    offer.title = '=HYPERLINK("http://x.example","free")'
    text = "".join(exports.csv_lines(exports.table([offer], "offers", TAXONOMY)))
    assert ",\"'=HYPERLINK" in text
    book = exports.workbook([offer, DEMAND], TAXONOMY)
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    rows = [row for t in sources.xlsx_tables(book) for row in table_rows.read(t, "auto", TAXONOMY)]
    assert [row.posting for row in rows] == [offer, DEMAND]


def test_a_workbook_is_read_with_its_dates_numbers_and_empty_rows(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(
        ["Capability", "Title", datetime(2026, 11, 30), date(2026, 12, 7), "unit_price_cny"]
    )
    sheet.append(["research.design", "x", 0.1 + 0.2, 3, 1234567.89])
    for _ in range(3):
        sheet.append([None, " ", None])
    notes = book.create_sheet("Notes")
    notes.sheet_state = "hidden"
    notes.append(["nothing"])
    book.save(tmp_path / "x.xlsx")
    [table] = sources.xlsx_tables((tmp_path / "x.xlsx").read_bytes())
    [line] = table.lines
    assert list(line.cells) == ["research.design", "x", "0.3", "3", "1234567.89"]
    assert list(table.header)[2:4] == ["2026-11-30", "2026-12-07"]


def test_what_unfolds_without_end_is_refused() -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb,
        bomb.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(sources.UNPACKED // (1 << 20) + 1):
            part.write(bytes(1 << 20))
    assert len(packed.getvalue()) < 1 << 20
    with pytest.raises(Unreadable, match="unfolds"):
        sources.xlsx_tables(packed.getvalue())


def test_xml_that_names_itself_again_and_again_is_refused(tmp_path: Path) -> None:
    Workbook().save(tmp_path / "x.xlsx")
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    with (
        zipfile.ZipFile(tmp_path / "x.xlsx") as good,
        zipfile.ZipFile(tmp_path / "y.xlsx", "w") as bad,
    ):
        for part in good.infolist():
            content = good.read(part).decode()
            if part.filename == "xl/workbook.xml":
                content = (
                    laughs + content.partition("?>")[2] if "?>" in content else laughs + content
                )
            bad.writestr(part.filename, content)
    with pytest.raises(Unreadable, match="can't be opened"):
        sources.xlsx_tables((tmp_path / "y.xlsx").read_bytes())


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_workbook_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        sources.xlsx_tables(content)


def test_too_many_columns_and_an_unknown_kind_of_file_are_told() -> None:
    with pytest.raises(Unreadable, match="columns"):
        sources.csv_table("," * (sources.MOST_COLUMNS + 1))
    with pytest.raises(Unreadable, match="neither"):
        sources.format_of("offers.doc")
    with pytest.raises(Unreadable, match="Capability"):
        read("a,b\n1,2\n")


def test_the_example_of_a_template_can_be_imported_as_it_stands() -> None:
    capability = TAXONOMY.capabilities["production.milling"]
    for make, kind in ((examples.offer, "offers"), (examples.demand, "demands")):
        example = make(capability, date(2026, 11, 22))
        made = exports.table([example], kind, TAXONOMY, same, "en")  # type: ignore[arg-type]
        [row] = read("".join(exports.csv_lines(made)))
        assert row.problems == []
        assert row.posting == example
