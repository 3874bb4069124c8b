"""Searching open postings: words of both languages, filters, and nothing by what is hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.registry.domain import search_words
from services.registry.domain.market_entries import Entry, Part
from services.registry.domain.posting_search import PostingSearch, Query, Shelf

MILL, FIVE, LAB = "production.milling", "production.milling.5-axis", "research.testing"
ISO = "ISO 9001"
HOLDERS = {"organizations/a": frozenset({ISO, "IATF 16949"}), "organizations/b": frozenset({ISO})}


def entry(name: str, title: str = "", posted: int = 1, **more: Any) -> Entry:
    firm = more.pop("firm", "a")
    code = more.pop("code", FIVE)
    weeks = more.pop("weeks", {100: 40, 101: 40})
    part = Part(code, weeks, more.pop("open", sum(weeks.values())), more.pop("asks", frozenset()))
    return Entry(
        name=name,
        is_offer=more.pop("is_offer", True),
        organization=f"organizations/{firm}",
        posted=posted,
        mark=(posted, ()),
        places=more.pop("places", ("CN", "CN-ZJ")),
        parts=(part,),
        price=None,
        identity_public=more.pop("known", True),
        title=frozenset(search_words.words(title)),
        description=frozenset(search_words.words(more.pop("text", ""))),
    )


def search(*entries: Entry) -> PostingSearch:
    made = PostingSearch()
    made.replace((), entries)
    return made


def found(made: PostingSearch, **query: Any) -> list[str]:
    return [each.name for each in made.find(Query(**query), HOLDERS)]


def test_words_are_found_in_both_languages_and_the_rare_ones_weigh_more() -> None:
    made = search(
        entry("mould", "注塑模具 Injection mould", 1),
        entry("mill", "五轴加工中心 5-axis milling centre", 2),
        entry("turn", "数控车床加工 CNC turning", 3),
        entry("told", "Machine hours", 4, text="A milling centre with pallets"),
    )
    assert found(made, text="五轴加工")[0] == "mill"
    assert found(made, text="模具") == ["mould"]
    assert found(made, text="milling") == ["mill", "told"]  # the title counts more
    assert found(made, text="mill") == ["mill", "told"]  # the beginning of a word is enough
    assert found(made, text="lathe") == []
    assert found(made, text="!?") == []
    assert found(made) == ["told", "turn", "mill", "mould"]  # newest first


def test_what_the_words_mean_is_found_whatever_it_is_called() -> None:
    made = search(entry("a", "精密件", code=FIVE), entry("b", "Tests", code=LAB))
    assert found(made, text="5-axis mill", meant={FIVE: 0.9}) == ["a"]
    assert found(made, text="mill", meant={MILL: 0.9}) == ["a"]  # and all below it


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"capability": MILL}, ["five"]),
        ({"capability": FIVE}, ["five"]),
        ({"capability": "production.mill"}, []),
        ({"region": "CN"}, ["lab", "five"]),
        ({"region": "CN-JS"}, ["lab"]),
        ({"weeks": (101, 105)}, ["lab", "five"]),
        ({"weeks": (102, 105)}, ["lab"]),
        ({"capability": MILL, "least": 80, "same_unit": frozenset({FIVE})}, ["five"]),
        ({"capability": MILL, "least": 81, "same_unit": frozenset({FIVE})}, []),
        ({"weeks": (101, 101), "least": 41, "same_unit": frozenset({FIVE})}, []),
        ({"least": 1, "same_unit": frozenset({LAB})}, ["lab"]),
        ({"own": "organizations/b"}, ["five"]),
        ({"standards": frozenset({ISO})}, ["lab", "five"]),
        ({"standards": frozenset({"IATF 16949"})}, ["five"]),
    ],
)
def test_filters(query: dict[str, Any], expected: list[str]) -> None:
    made = search(
        entry("five", posted=1),
        entry("lab", posted=2, code=LAB, firm="b", places=("CN", "CN-JS"), weeks={101: 5, 104: 5}),
    )
    assert found(made, **query) == expected


def test_a_line_is_wanted_whole_in_any_week_of_its_window() -> None:
    asks = frozenset({ISO})
    made = search(entry("d", is_offer=False, weeks={100: 1, 101: 0}, open=1, asks=asks))
    assert found(made, weeks=(101, 101)) == ["d"]
    assert found(made, weeks=(102, 110)) == []
    assert found(made, standards=asks) == ["d"]
    assert found(made, standards=frozenset({"AS9100"})) == []


def test_nothing_is_found_by_what_is_hidden() -> None:
    made = search(entry("x", known=False, weeks={}, open=0))
    assert found(made, standards=frozenset({ISO})) == []  # whose it is would show by trying
    assert found(made, weeks=(0, 10**6)) == []
    assert found(made, least=1, same_unit=frozenset({FIVE})) == []
    assert found(made, capability=FIVE, region="CN-ZJ") == ["x"]


@pytest.mark.parametrize(
    ("shelf", "before", "expected"),
    [
        (Shelf(), 0, ["c", "b", "a"]),
        (Shelf(), 3, ["b", "a"]),
        (Shelf(words=("milling", "hours")), 0, ["b"]),
        (Shelf(words=("mill",)), 0, []),  # a list takes words as they are
        (Shelf(capability=MILL), 0, ["b", "a"]),
        (Shelf(served_by=FIVE), 0, ["b", "a"]),
        (Shelf(served_by=MILL), 0, ["b"]),
        (Shelf(region="CN-ZJ", capability="research"), 0, ["c"]),
        (Shelf(week=101), 0, ["a"]),
    ],
)
def test_lists_take_what_answers_all_of_a_filter(
    shelf: Shelf, before: int, expected: list[str]
) -> None:
    made = search(
        replace(entry("a", "5-axis milling"), span=(100, 101)),
        replace(entry("b", "Milling hours", 2, code=MILL), span=(99, 100)),
        entry("c", "Tests", 3, code=LAB, text="milling"),
    )
    assert [each.name for each in made.listed(shelf, before)] == expected
    assert {each.name for each in made.of_firm("organizations/a")} == {"a", "b", "c"}


def test_what_is_gone_is_found_no_more() -> None:
    old, new = entry("x", "milling 铣削"), entry("x", "turning", 2, code=LAB, places=())
    made = search(old)
    made.replace([old], [new])
    assert found(made, text="milling") == []
    assert found(made, text="铣削") == []
    assert found(made, capability=FIVE) == []
    assert found(made, region="CN") == []
    assert found(made, text="turning") == ["x"]
    made.replace([new], [])
    assert found(made) == []
