"""Edits of the taxonomy: every fault at once with its mend; nothing that offers rely on goes."""

from __future__ import annotations

import pytest

from services.registry import convert_taxonomy
from services.registry.domain import taxonomy_edits
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from services.registry.domain.taxonomy_schema import NodeForm

TURNING = "production.machining.turning"
_UNIT: dict[str, object] = {
    "code": "spindle_hour",
    "name": {"en": "spindle hour", "zh": "主轴时"},
    "resolution": "1",
}
NAME = {"en": "Cryogenic turning", "zh": "低温车削"}


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def test_every_definition_survives_the_contract(taxonomy: Taxonomy) -> None:
    nodes = {
        each.code: convert_taxonomy.node(
            convert_taxonomy.definition(each.code, _known(taxonomy, each.code))
        )
        for each in taxonomy
    }
    assert list(taxonomy.extended(nodes)) == list(taxonomy)


def test_an_edit_changes_what_stands_below_it_too(taxonomy: Taxonomy) -> None:
    written = taxonomy.definition("production.machining")
    assert written is not None
    node = convert_taxonomy.node(convert_taxonomy.definition("production.machining", written))
    node["attributes"]["night_shift"] = {
        "name": {"en": "Night shift", "zh": "夜班"},
        "type": "boolean",
        "rule": "equals",
    }
    outcome = taxonomy_edits.check(taxonomy, [("production.machining", node)], "edits")
    assert not outcome.faults
    assert outcome.taxonomy is not None
    assert {"production.machining", TURNING} <= set(outcome.changed)
    assert "logistics" not in outcome.changed
    below = outcome.taxonomy.get(TURNING)
    assert below is not None
    assert "night_shift" in below.attributes


def test_all_that_is_wrong_is_told_with_field_and_mend(taxonomy: Taxonomy) -> None:
    nodes: list[taxonomy_edits.Edit] = [
        ("Not A Code", {"name": NAME}),
        (f"{TURNING}.cold", {"name": {"en": "", "zh": "冷"}, "attributes": {"Bad Key": {}}}),
    ]
    found = taxonomy_edits.check(taxonomy, nodes, "edits").faults
    fields = {each.field for each in found}
    assert {"edits[0].code", "edits[1].name.en"} <= fields
    assert any(field.startswith("edits[1].attributes.Bad Key") for field in fields)
    assert all(each.said.what and each.said.mend for each in found)


def test_faults_of_the_tree_stand_beside_their_edit(taxonomy: Taxonomy) -> None:
    edits: list[taxonomy_edits.Edit] = [
        (f"{TURNING}.cold", {"name": NAME, "attributes": {"chill": {"type": "integer"}}}),
        ("nowhere.at-all", {"name": NAME}),
    ]
    found = taxonomy_edits.check(taxonomy, edits, "edits").faults
    assert {each.field for each in found} == {"edits[0].attributes.chill", "edits[1]"}
    assert all("Change it, and check again" not in each.said.mend for each in found)


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        (lambda node: node["attributes"].clear(), "deprecated"),
        (lambda node: node.update(unit=_UNIT), "deprecate this capability"),
        (lambda node: _first_bounded(node).update(maximum=1, minimum=1), "wider"),
    ],
    ids=["attribute", "unit", "bounds"],
)
def test_what_offers_rely_on_cannot_be_taken_away(
    taxonomy: Taxonomy, change: object, mend: str
) -> None:
    written = taxonomy.definition(TURNING)
    assert written is not None
    node = convert_taxonomy.node(convert_taxonomy.definition(TURNING, written))
    change(node)  # type: ignore[operator]
    found = taxonomy_edits.check(taxonomy, [(TURNING, node)], "edits").faults
    assert found
    assert any(mend in each.said.mend for each in found), found


def _first_bounded(node: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    return next(each for each in node["attributes"].values() if "maximum" in each)


def test_deprecation_reaches_down_and_asks_for_nothing(taxonomy: Taxonomy) -> None:
    written = taxonomy.definition("production.machining")
    assert written is not None
    node = convert_taxonomy.node(convert_taxonomy.definition("production.machining", written))
    node["deprecated"] = True
    wider = taxonomy.extended({"production.machining": node})
    below, beside = wider.get(TURNING), wider.get("logistics")
    assert below is not None
    assert below.deprecated
    assert beside is not None
    assert not beside.deprecated
    required = [a for a in below.attributes.values() if a.required_in_offer]
    assert required
    own = convert_taxonomy.node(convert_taxonomy.definition(TURNING, _known(wider, TURNING)))
    own["attributes"] = {
        **own["attributes"],
        required[0].key: {**own["attributes"].get(required[0].key, {}), "deprecated": True},
    }
    eased = wider.extended({TURNING: own}).get(TURNING)
    assert eased is not None
    assert not eased.attributes[required[0].key].required_in_offer


def _known(taxonomy: Taxonomy, code: str) -> NodeForm:
    found = taxonomy.definition(code)
    assert found is not None
    return found
