"""Wrong files are refused with file, path and reason; an operator extends and amends the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.registry.domain.taxonomy import Taxonomy, TaxonomyError, load_taxonomy


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


TOP = """
x:
  name: {en: X, zh: 某}
  unit: {code: hour, name: {en: hour, zh: 小时}, resolution: "0.5"}
  ships: false
"""
SIZE = "  attributes: {size: {name: {en: Size, zh: 尺寸}, type: integer, rule: at_least}}\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TOP.replace(", zh: 某", ""), ["x.yaml", "name.zh", "required"]),
        (TOP.replace('"0.5"', '"0.0"'), ["x.yaml", "unit.resolution"]),
        (TOP.replace('"0.5"', "0.5"), ["x.yaml", "unit.resolution", "string"]),
        (TOP.replace("  ships: false\n", ""), ["x.yaml", "unit and ships"]),
        (TOP + "  colour: red\n", ["x.yaml", "colour", "not permitted"]),
        (TOP.replace("x:", "y:", 1), ["x.yaml", "only key"]),
        (TOP + "  ships: true\n", ["x.yaml", "ships", "twice"]),
        (TOP + "  children: [\n", ["x.yaml", "not valid YAML"]),
        (TOP + "  children:\n   A_b: {name: {en: A, zh: 甲}}\n", ["x.yaml", "children.A_b"]),
        (TOP + SIZE.replace("rule: at_least", "rule: all_of"),
         ["x.yaml", "attributes.size", "no meaning"]),
        (TOP + SIZE.replace(", rule: at_least", ""),
         ["x.yaml", "attributes.size", "name, type and rule"]),
        (TOP + SIZE.replace("integer, rule: at_least", "choice, rule: one_of"),
         ["x.yaml", "attributes.size", "choices"]),
        (TOP + SIZE
         + "  children: {a: {name: {en: A, zh: 甲}, attributes: {size: {rule: at_most}}}}\n",
         ["x.yaml", "x.a", "keeps its type"]),
        (TOP + "  children: {a: {name: {en: A, zh: 甲},"
         ' unit: {code: hour, name: {en: hour, zh: 小时}, resolution: "1"}}}\n',
         ["x.yaml", "x.a", "differs from that of x"]),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_path_and_reason(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(TaxonomyError) as caught:
        load_taxonomy(tmp_path)
    assert all(name in str(caught.value) for name in names), str(caught.value)


def test_a_unit_is_the_same_with_and_without_its_plural(tmp_path: Path) -> None:
    unit = "unit: {code: hour, name: {en: hour, zh: 小时}, plural: hours, resolution: '0.5'}"
    child = f"  children: {{a: {{name: {{en: A, zh: 甲}}, {unit}}}}}\n"
    (tmp_path / "x.yaml").write_text(TOP + child, encoding="utf-8")
    read = load_taxonomy(tmp_path)
    assert [each.unit.plural for each in (read.get("x"), read.get("x.a")) if each] == ["", "hours"]


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"no \*.yaml"):
        load_taxonomy(tmp_path)


def node(**more: Any) -> dict[str, Any]:
    return {"name": {"en": "Laser cladding", "zh": "激光熔覆"}, **more}


def test_an_operator_extends_without_touching_what_is(taxonomy: Taxonomy) -> None:
    code = "production.machining.laser-cladding"
    wider = taxonomy.extended({code: node(children={"blue": node()})})
    assert code not in taxonomy
    assert f"{code}.blue" in wider
    assert len(wider) == len(taxonomy) + 2
    added = wider.get(code)
    machining = taxonomy.get("production.machining")
    assert added is not None
    assert machining is not None
    assert added.attributes.keys() == machining.attributes.keys()
    assert wider.search("激光熔覆", "zh", 1)[0].capability.code == code


def test_an_operator_amends_and_children_follow() -> None:
    before = Taxonomy({}).extended(
        {
            "x": node(
                ships=False,
                unit={"code": "hour", "name": {"en": "hour", "zh": "小时"}, "resolution": "1"},
                attributes={"size": {"name": {"en": "Size", "zh": "尺寸"}, **CHOICE}},
                children={"a": node()},
            )
        }
    )
    wider = {"en": "Large", "zh": "大"}
    own = {"ships": False, "unit": {"code": "hour", "name": {"en": "hour", "zh": "小时"}}}
    own["unit"]["resolution"] = "1"  # type: ignore[index]
    size = {"name": {"en": "Size", "zh": "尺寸"}, **CHOICE}
    more = {**size, "choices": {**CHOICE["choices"], "l": wider}}
    after = before.extended({"x": node(**own, attributes={"size": more})})
    child = after.get("x.a")
    assert child is not None
    assert list(child.attributes["size"].choices) == ["s", "l"]
    for attributes, word in (
        ({}, "can't be taken away"),
        ({"size": {**size, "choices": {"l": wider}}}, "can't take away s"),
        ({"size": {**size, "rule": "all_of"}}, "can't change"),
    ):
        with pytest.raises(TaxonomyError, match=word):
            before.extended({"x": node(**own, attributes=attributes)})


CHOICE: dict[str, Any] = {
    "type": "choice",
    "rule": "one_of",
    "choices": {"s": {"en": "Small", "zh": "小"}},
}


@pytest.mark.parametrize(
    ("code", "raw", "word"),
    [
        ("Production.X", node(), "dotted code"),
        ("production.unheard-of.x", node(), "above it is unknown"),
        ("production.machining.x", {"name": {"en": "X"}}, "name.zh"),
        ("production.machining.x", "milling", "production.machining.x"),
    ],
)
def test_a_wrong_extension_is_refused(
    taxonomy: Taxonomy, code: str, raw: object, word: str
) -> None:
    with pytest.raises(TaxonomyError, match=word):
        taxonomy.extended({code: raw})
