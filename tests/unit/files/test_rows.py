"""What export writes, import reads; and what is wrong in a file is told by row and field."""

import pytest

from services.files import exports, json_rows, table_rows
from services.files.columns import Kind
from services.files.rows import Posting, Row, mark_twins
from services.files.wording import Unreadable
from tests.unit.files.postings import DEMAND, OFFER, SMALL_DEMAND, TAXONOMY


def problems(row: Row) -> dict[str, str]:
    return {problem.field: problem.description for problem in row.problems}


@pytest.mark.parametrize(
    ("postings", "kind"), [([OFFER], "offers"), ([DEMAND, SMALL_DEMAND], "demands")]
)
def test_csv_gives_back_what_it_was_given(postings: list[Posting], kind: Kind) -> None:
    text = "".join(exports.csv_lines(exports.table(postings, kind, TAXONOMY)))
    rows = list(table_rows.read(text.splitlines(keepends=True), "auto", TAXONOMY))
    assert [row.problems for row in rows] == [[] for _ in postings]
    assert [row.posting for row in rows] == postings


def test_json_lines_give_back_what_they_were_given() -> None:
    postings: list[Posting] = [OFFER, DEMAND, SMALL_DEMAND]
    rows = list(json_rows.read(json_rows.write(postings), "auto"))
    assert [row.posting for row in rows] == postings
    assert all(row.good for row in rows)


def test_what_the_registry_sets_is_left_out() -> None:
    stored = type(OFFER)()
    stored.CopyFrom(OFFER)
    stored.etag, stored.generation, stored.state = "abc", 7, stored.STATE_OPEN
    stored.create_time.seconds = 1
    [row] = json_rows.read(json_rows.write([stored]), "auto")
    assert row.posting == OFFER


def test_a_bad_json_line_is_told_by_its_number_and_costs_only_itself() -> None:
    lines = [
        '{"name": "organizations/a/offers/b", "title": "x"}\n',
        "\n",
        '{"name": \n',
        "[1]\n",
        '{"name": "organizations/a/offers/c", "colour": "red"}\n',
        '{"name": "organizations/a/offers/d", "unit_price": "dear"}\n',
        '{"name": "organizations/a/demands/e", "lines": [{"id": "x"}]}\n',
    ]
    rows = list(json_rows.read(lines, "auto"))
    assert [row.number for row in rows if not row.good] == [3, 4, 5, 6]
    assert problems(rows[3]) == {"colour": "there is no such field"}
    assert "unit_price" in problems(rows[4])
    assert rows[5].good


def test_a_bad_cell_names_its_column_and_the_mend() -> None:
    lines = [
        "name,capability,capacity,unit_price_cny,minimum_order,attributes.travel_mm,attributes.x\n",
        "organizations/a/offers/good,production.milling,2026-W49=0.5,0.02,,1,\n",
        "organizations/a/offers/bad,production.milling,2026-W49=0.3,cheap,-1,long,1\n",
        "organizations/a/offers/lost,production.magic,2026-W49,1,,,\n",
    ]
    good, bad, lost = table_rows.read(lines, "offers", TAXONOMY)
    assert good.good
    assert bad.number == 3
    assert set(problems(bad)) == {
        "capacity",
        "unit_price_cny",
        "minimum_order",
        "attributes.travel_mm",
        "attributes.x",
    }
    assert all(problem.mend for problem in bad.problems)
    assert set(problems(lost)) == {"capability", "capacity"}


def test_a_demand_of_several_rows_is_told_by_its_first_row_and_line() -> None:
    lines = [
        "name,title,line,capability,quantity,earliest,latest\n",
        'organizations/a/demands/one,"two\nlines",a,research.design,1,2026-W49,2026-W50\n',
        "organizations/a/demands/two,t,a,research.design,1,2026-W49,2026-W50\n",
        ",,b,research.design,half,2026-W49,2026-W50\n",
    ]
    text = "".join(lines).splitlines(keepends=True)
    first, second = table_rows.read(text, "auto", TAXONOMY)
    assert (first.number, second.number) == (2, 4)
    assert [problem.line for problem in second.problems] == [1]
    assert problems(second) == {"quantity": "half is no number"}


@pytest.mark.parametrize("header", ["name,capability,colour\n", "capability,title\n"])
def test_a_header_that_does_not_fit_is_refused(header: str) -> None:
    with pytest.raises(Unreadable):
        list(table_rows.read([header], "offers", TAXONOMY))


def test_a_name_given_twice_is_bad_the_second_time() -> None:
    rows = list(json_rows.read(json_rows.write([OFFER, DEMAND, OFFER]), "auto"))
    mark_twins(rows)
    assert [row.good for row in rows] == [True, True, False]
    assert problems(rows[2]) == {"name": "row 1 has this name already"}
