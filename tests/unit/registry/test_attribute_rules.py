"""When an offered attribute satisfies an asked one, and which values are refused with what mend."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.attribute_rules import RULES_BY_TYPE
from services.registry.domain.taxonomy import (
    Attribute,
    AttributeType,
    Rule,
    Taxonomy,
    Text,
    Value,
    load_taxonomy,
    satisfies,
)

ANY = Text("Any", "任意")


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def attribute(kind: AttributeType, rule: Rule, **more: Any) -> Attribute:
    return Attribute("key", ANY, kind, rule, **more)


whole = st.integers(-(10**9), 10**9)
some_choices = st.lists(st.sampled_from("abcde"), min_size=1, unique=True)


@given(whole, whole)
def test_numbers_compare_by_their_rule(offered: int, asked: int) -> None:
    for rule, expected in (
        (Rule.AT_LEAST, offered >= asked),
        (Rule.AT_MOST, offered <= asked),
        (Rule.EQUALS, offered == asked),
    ):
        assert satisfies(attribute(AttributeType.INTEGER, rule), offered, asked) is expected


@given(whole, whole, whole, whole)
def test_within_means_every_asked_value_is_offered(a: int, b: int, c: int, d: int) -> None:
    within = attribute(AttributeType.RANGE, Rule.WITHIN)
    offered, asked = (min(a, b), max(a, b)), (min(c, d), max(c, d))
    assert satisfies(within, offered, asked) is (offered[0] <= asked[0] <= asked[1] <= offered[1])
    assert satisfies(within, offered, c) is satisfies(within, offered, (c, c))
    assert satisfies(within, a, asked) is (asked == (a, a))
    assert satisfies(within, offered, offered)


@given(some_choices, some_choices)
def test_choices_compare_as_sets(offered: list[str], asked: list[str]) -> None:
    have, want = set(offered), set(asked)
    choices = attribute(AttributeType.CHOICES, Rule.ALL_OF)
    assert satisfies(choices, offered, asked) is (want <= have)
    one_of = attribute(AttributeType.CHOICES, Rule.ONE_OF)
    assert satisfies(one_of, offered, asked) is bool(have & want)
    equals = attribute(AttributeType.CHOICES, Rule.EQUALS)
    assert satisfies(equals, offered, asked) is (have == want)
    assert satisfies(one_of, offered[0], asked) is satisfies(one_of, [offered[0]], asked)


@given(some_choices, some_choices, some_choices)
def test_offering_more_never_satisfies_less(
    a: list[str], more: list[str], asked: list[str]
) -> None:
    for rule in (Rule.ALL_OF, Rule.ONE_OF):
        choices = attribute(AttributeType.CHOICES, rule)
        if satisfies(choices, a, asked):
            assert satisfies(choices, a + more, asked)


@given(st.booleans(), st.booleans())
def test_yes_or_no_has_to_be_the_same(offered: bool, asked: bool) -> None:
    flag = attribute(AttributeType.BOOLEAN, Rule.EQUALS)
    assert satisfies(flag, offered, asked) is (offered == asked)


def test_texts_are_the_same_but_for_case_and_spaces() -> None:
    text = attribute(AttributeType.TEXT, Rule.EQUALS)
    assert satisfies(text, " STM32F407  vgt6 ", "stm32f407 VGT6")
    assert not satisfies(text, "STM32F407", "STM32F405")


@pytest.mark.parametrize("kind", list(AttributeType))
def test_what_is_not_offered_or_of_the_wrong_shape_never_holds(kind: AttributeType) -> None:
    right: dict[AttributeType, Value] = {
        AttributeType.INTEGER: 1,
        AttributeType.RANGE: (1, 1),
        AttributeType.CHOICE: "a",
        AttributeType.CHOICES: ["a"],
        AttributeType.BOOLEAN: True,
        AttributeType.TEXT: "a",
    }
    wrong: dict[AttributeType, list[Value]] = {
        AttributeType.INTEGER: [True, "1", (1, 1), ["1"]],
        AttributeType.RANGE: [True, "1", (2, 1), ["1"]],
        AttributeType.CHOICE: [1, True, (1, 1)],
        AttributeType.CHOICES: [1, True, (1, 1)],
        AttributeType.BOOLEAN: [1, "a", (1, 1), ["a"]],
        AttributeType.TEXT: [1, True, (1, 1), ["a"]],
    }
    for rule in RULES_BY_TYPE[kind]:
        compared = attribute(kind, rule)
        assert satisfies(compared, right[kind], right[kind])
        assert not satisfies(compared, None, right[kind])
        for value in wrong[kind]:
            assert not satisfies(compared, value, right[kind])
            assert not satisfies(compared, right[kind], value)


# --- validation ----------------------------------------------------------------------------------

MILLING = "production.machining.milling"
GOOD: dict[str, Value] = {
    "materials": ["aluminium", "titanium"],
    "axes": 5,
    "travel_x_mm": 800,
    "travel_y_mm": 600,
    "travel_z_mm": 500,
    "tolerance_um": 10,
    "probing": True,
}


def test_a_whole_offer_and_a_small_demand_fit(taxonomy: Taxonomy) -> None:
    assert taxonomy.validate_attributes(MILLING, GOOD, "offer") == []
    assert taxonomy.validate_attributes(MILLING, {"axes": 5}, "demand") == []


@pytest.mark.parametrize(
    ("change", "what", "mend"),
    [
        ({"travel_x": 800}, "no such attribute", "Did you mean travel_x_mm?"),
        ({"qqq": 1}, "no such attribute", "Use one of: materials"),
        ({"axes": "five"}, "no whole number", "a whole number from 2 to 9"),
        ({"axes": True}, "no whole number", "a whole number"),
        ({"axes": (3, 5)}, "no whole number", "a whole number"),
        ({"axes": 12}, "in range", "from 2 to 9"),
        ({"travel_x_mm": "long"}, "in range", "(mm)"),
        ({"materials": ["unobtainium"]}, "unobtainium is not a choice", "aluminium, carbon-steel"),
        ({"materials": []}, "takes choices", "one or more of"),
        ({"materials": 3}, "takes choices", "one or more of"),
        ({"probing": "yes"}, "neither yes nor no", "yes or no"),
    ],
)
def test_a_wrong_value_is_named_with_its_mend(
    taxonomy: Taxonomy, change: dict[str, Value], what: str, mend: str
) -> None:
    (problem,) = taxonomy.validate_attributes(MILLING, {**GOOD, **change}, "offer")
    assert problem.field == f"attributes.{next(iter(change))}"
    assert what in problem.said.what
    assert mend in problem.said.mend
    assert "(1)" not in problem.said.mend  # a number of axes has no unit to name


def test_an_offer_has_to_state_what_is_required(taxonomy: Taxonomy) -> None:
    problems = taxonomy.validate_attributes(MILLING, {"axes": 5}, "offer")
    assert [problem.field for problem in problems] == [
        *("attributes.materials", "attributes.travel_x_mm"),
        *("attributes.travel_y_mm", "attributes.travel_z_mm"),
    ]


def test_a_range_runs_upwards_and_a_buyer_may_accept_several_kinds(taxonomy: Taxonomy) -> None:
    gears = "production.machining.gear-cutting"
    (problem,) = taxonomy.validate_attributes(gears, {"module_hundredths": (400, 50)}, "demand")
    assert "before it begins" in problem.said.what
    assert taxonomy.validate_attributes(gears, {"module_hundredths": (50, 400)}, "demand") == []
    pool, both = "supply-chain.reusable-packaging", {"carrier": ["ibc", "klt"]}
    assert taxonomy.validate_attributes(pool, both, "demand") == []
    (problem,) = taxonomy.validate_attributes(pool, both, "offer")
    assert "one of" in problem.said.mend


def test_an_unknown_code_names_the_nearest(taxonomy: Taxonomy) -> None:
    (problem,) = taxonomy.validate_attributes("production.machining.miling", {}, "offer")
    assert (problem.field, MILLING in problem.said.mend) == ("capability", True)
