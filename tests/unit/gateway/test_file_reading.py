"""An upload becomes rows for the registry; what is wrong is told at its cell, in both languages."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest
from openpyxl import load_workbook

from services.chassis import causes, validation
from services.files import workbooks
from services.files.columns import Kind
from services.files.taxonomy import Taxonomy
from services.files.wording import Unreadable
from services.gateway.files import out, reading, rows_view
from services.gateway.files.told import told
from services.gateway.files.wordings import wording
from services.registry import convert_taxonomy
from services.registry.domain import demands, offers
from services.registry.domain.taxonomy import load_taxonomy
from spareline.market.v1.import_pb2 import Import, ImportProblem, ImportRow
from spareline.market.v1.offer_pb2 import PeriodQuantity

TODAY = date(2026, 11, 22)
RULES = load_taxonomy()
KNOWN = Taxonomy({each.code: convert_taxonomy.capability(each) for each in RULES})
MILL = "production.machining.milling.5-axis"
FIRM = "organizations/acme"
KEY = b"k" * 32
HEADER = (
    "标题,能力,2026-W50,单价（元）,最小订货量,编号,备注,联动轴数,可加工材料,"
    "X 轴行程 (mm),Y 轴行程 (mm),Z 轴行程 (mm)\n"
)


def read(
    content: str | bytes, name: str = "x.csv", language: str = "zh", key: bytes = KEY
) -> reading.Upload:
    data = content.encode() if isinstance(content, str) else content
    return reading.read(data, name, KNOWN, wording(language, FIRM), key)


def faults(row: ImportRow) -> list[ImportProblem]:
    """What the registry would find, told as it tells it."""
    found: list[ImportProblem] = []
    posting = row.offer if row.HasField("offer") else row.demand
    for violation in validation.violations(posting):
        found.append(ImportProblem(field=violation.field, words=causes.message(violation.said)))
    rules = (
        offers.faults(row.offer, FIRM, RULES, "")
        if row.HasField("offer")
        else demands.faults(row.demand, FIRM, RULES, "")
    )
    return found + [
        ImportProblem(field=each.field, words=causes.message(each.said)) for each in rules
    ]


@pytest.mark.parametrize(("kind", "language"), [("offers", "zh"), ("demands", "en")])
def test_every_template_comes_in_as_it_goes_out(kind: Kind, language: str) -> None:
    for capability in KNOWN.capabilities.values():
        sheet = out.template(capability, kind, KNOWN, language, TODAY)
        [row] = read(out.as_csv(sheet), language=language).rows
        assert not row.problems, (capability.code, row.problems)
        assert not faults(row), (capability.code, faults(row))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_workbook_has_choices_to_pick_from_and_says_how(language: str) -> None:
    capability = KNOWN.capability("production.machining.milling")
    sheet = out.template(capability, "offers", KNOWN, language, TODAY)
    content = workbooks.write([sheet, out.guide(capability, "offers", language, TODAY)])
    book = load_workbook(io.BytesIO(content))
    first, guide, lists = book.worksheets
    rules = {str(rule.sqref): rule for rule in first.data_validations.dataValidation}
    assert len(rules) >= 7
    assert lists.sheet_state == "hidden"
    codes = [cell.value for cell in lists["A"] if cell.value]
    assert [KNOWN.code(str(each)).startswith(capability.code) for each in codes] == [True] * 5
    assert guide.max_row == first.max_column - 11 + 1  # a line for all its weeks
    [row] = read(content, "x.xlsx", language).rows
    assert not row.problems


def test_rows_without_a_name_get_one_that_tells_nothing_and_comes_again() -> None:
    text = (
        "标题,能力,2026-W50,单价（元）,编号\n甲,电话热线,1,5,\n甲,电话热线,1,5,\n乙,电话热线,1,6,a-1\n"
    ).replace("电话热线", KNOWN.capability("after-sales.hotline").display_name.zh)
    once, again, elsewhere = read(text), read(text), read(text, key=b"x" * 32)
    names = [row.offer.name for row in once.rows]
    assert len(set(names)) == 3
    assert names[2] == f"{FIRM}/offers/a-1"
    assert [row.offer.name for row in again.rows] == names
    assert elsewhere.rows[0].offer.name != names[0]
    assert not any(row.problems for row in once.rows)


def test_what_the_registry_finds_stands_at_its_cell_in_chinese() -> None:
    full = "5,铝合金,800,600,500"
    upload = read(
        HEADER
        + f"量不够,五轴铣削,8,150,100,,,{full}\n"
        + f"{'长' * 200},五轴铣削,8,150,,Ü,,{full}\n"
        + f"周不对,五轴铣削,8,150,,,,{full}\n"
    )
    assert [len(row.problems) for row in upload.rows] == [0, 0, 0]
    upload.rows[2].offer.capacity.append(PeriodQuantity(period="2026-W50", quantity=1))
    places = []
    for row in upload.rows:
        row.problems.extend(faults(row))
        for each in told(row, upload.tables, KNOWN, "zh"):
            assert not re.search("[a-z]{3,} [a-z]{2,}", each.description + each.mend), each
            places.append((row.index, each.title))
    assert set(places) == {(0, "最小订货量"), (1, "标题"), (1, "编号"), (2, "2026-W50")}


def test_a_demand_is_told_by_its_lines_in_chinese() -> None:
    upload = read(
        "标题,需求行,能力,数量,最早周,最晚周,最高单价（元）,最多几家,每家最少份额,先后顺序,不与之合作\n"
        "泵,a,五轴铣削,4,2026-W52,2026-W50,9,,,a>x,谁\n"
        ",b,五轴铣削,4,2026-W50,2026-W52,9,3,2,,\n"
        ",a,五轴铣削,4,2026-W50,2026-W52,9,,9,,\n"
    )
    [row] = upload.rows
    assert not row.problems
    row.problems.extend(faults(row))
    found = told(row, upload.tables, KNOWN, "zh")
    for each in found:
        assert not re.search("[a-z]{3,} [a-z]{2,}", each.description + each.mend), each
    assert {(each.number, each.title) for each in found} >= {
        (2, "最早周"),
        (2, "先后顺序"),
        (2, "不与之合作"),
        (3, "最多几家"),
        (4, "每家最少份额"),
    }


def test_a_marked_file_says_what_to_change_and_can_be_mended() -> None:
    upload = read(
        HEADER + "甲,五轴铣削,4x,150,,,记下,5,铝合金,泥,600,500\n乙,五轴铣削,4,150,,,,5,,9,9,9\n"
    )
    found = Import(tables=upload.tables)
    [sheet] = out.marked(found, upload.rows, KNOWN, "zh")
    content = workbooks.write([sheet])
    book = load_workbook(io.BytesIO(content))
    cells = book.worksheets[0]
    assert cells["A1"].value == "要改什么"
    assert "2026-W50" in str(cells["A2"].value)
    filled = {
        c.coordinate
        for row in cells.iter_rows(min_row=2)
        for c in row
        if c.fill.fgColor.rgb == "00FCE4E2"
    }
    assert filled == {"D2", "K2", "J3", "K3", "L3", "M3"}
    again = read(content, "x.xlsx")
    assert [len(row.problems) for row in again.rows] == [2, 4]
    assert rows_view.ignored(again.tables) == ["备注"]
    cells["D2"].value, cells["K2"].value = 4, 800
    mended = io.BytesIO()
    book.save(mended)
    [first, _] = read(mended.getvalue(), "x.xlsx").rows
    assert not first.problems
    text = out.as_csv(next(out.marked(found, upload.rows, KNOWN, "zh")))
    assert [len(row.problems) for row in read(text).rows] == [2, 4]


def test_columns_that_a_file_lacks_are_told_once_for_a_row() -> None:
    upload = read("标题,能力,2026-W50\n甲,五轴铣削,4\n")
    [row] = upload.rows
    assert len(row.problems) == 6
    view = rows_view.of(row, upload.tables, KNOWN, "zh")
    assert [len(each.title.split("、")) for each in view.problems] == [6]
    assert view.price == ""
    assert view.amount == "4 机时"


def test_chunks_hold_all_rows_within_their_limits() -> None:
    rows = [ImportRow(index=index) for index in range(1001)]
    parts = list(reading.chunks(rows, 250, 1_000_000))
    assert [len(part) for part in parts] == [250, 250, 250, 250, 1]
    assert [row for part in parts for row in part] == rows
    big = [ImportRow(problems=[ImportProblem(mend="x" * 1000)])] * 10
    assert max(len(part) for part in reading.chunks(big, 250, 3000)) == 2


@pytest.mark.parametrize(
    ("content", "name", "told_"),
    [
        (b"x" * (reading.MOST_BYTES + 1), "x.csv", "MB"),
        ("标题,能力\n".encode(), "x.csv", "没有内容行"),
        ("标题,数量\n1,2\n".encode(), "x.csv", "缺少“能力”列"),
        (b"PK", "x.xlsx", "不是 XLSX"),
        (b"", "x.pdf", "既不是"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_in_chinese(
    content: bytes, name: str, told_: str
) -> None:
    with pytest.raises(Unreadable) as refused:
        read(content, name)
    assert told_ in " ".join(refused.value.told(wording("zh", FIRM).translate))
