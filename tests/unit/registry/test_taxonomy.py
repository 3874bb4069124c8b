"""The taxonomy as it ships: its content, what children take over, and search."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.registry.domain.attribute_rules import RULES_BY_TYPE
from services.registry.domain.taxonomy import TAXONOMY_DIRECTORY, Rule, Taxonomy, load_taxonomy

BRANCHES = {
    *("research", "production", "marketing", "management", "logistics", "after-sales"),
    *("supply-chain", "information", "technology", "finance", "talent", "brand", "data"),
}
# Every kind of item in the donations and requests of the emergency that the replay posts.
EMERGENCY_ITEMS = {
    *("babyMonitors", "bodyBags", "coveralls", "disinfectingWipes", "disposableBooties"),
    *("faceShields", "gowns", "handSanitizer", "handmadeMasks", "nitrileGloves", "paprShield"),
    *("printedFaceShields", "respirators", "safetyGlasses", "safetyGoggles", "surgicalCaps"),
    *("surgicalMasks", "thermometers"),
}


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


# --- content -------------------------------------------------------------------------------------


def test_every_branch_has_its_file_and_depth(taxonomy: Taxonomy) -> None:
    assert {path.stem for path in TAXONOMY_DIRECTORY.glob("*.yaml")} == BRANCHES
    assert {top.code for top in taxonomy.children("")} == BRANCHES
    assert len(taxonomy) >= 130
    assert all(len(taxonomy.children(branch)) >= 5 for branch in BRANCHES)
    assert max(capability.depth for capability in taxonomy) >= 3


def test_every_text_is_in_both_languages(taxonomy: Taxonomy) -> None:
    for capability in taxonomy:
        texts = [capability.name, capability.unit.name]
        for attribute in capability.attributes.values():
            texts += [attribute.name, *attribute.choices.values()]
            texts += [attribute.help] if attribute.help else []
        assert all(text.en.strip() and text.zh.strip() for text in texts), capability.code
        assert any("\u3400" <= sign <= "\u9fff" for sign in capability.name.zh), capability.code
        assert capability.name.en.isascii(), capability.code


def test_units_have_a_tick_that_quantities_can_be_counted_in(taxonomy: Taxonomy) -> None:
    for unit in {capability.unit for capability in taxonomy}:
        assert unit.resolution > 0
        assert unit.ticks(unit.resolution * 7) == 7
        assert unit.quantity(7) == unit.resolution * 7
        with pytest.raises(ValueError, match="not a multiple"):
            unit.ticks(unit.resolution / Decimal(2))


def test_no_word_means_two_capabilities_of_a_branch(taxonomy: Taxonomy) -> None:
    seen: dict[tuple[str, str], str] = {}
    for capability in taxonomy:
        words = [word for words in capability.synonyms.values() for word in words]
        for word in words:
            key = (capability.branch, word.casefold())
            assert key not in seen, f"{word}: {seen.get(key)} and {capability.code}"
            seen[key] = capability.code
    for capability in taxonomy:
        for name in (capability.name.en, capability.name.zh):
            assert seen.get((capability.branch, name.casefold())) is None, name


def test_choices_are_few_enough_for_a_message_and_texts_short_enough(taxonomy: Taxonomy) -> None:
    for capability in taxonomy:
        for attribute in capability.attributes.values():
            assert attribute.rule in RULES_BY_TYPE[attribute.type]
            assert len(attribute.choices) <= 60
            assert all(len(code) <= 60 for code in attribute.choices)


def test_every_item_of_the_emergency_is_known_by_its_name_in_the_data(taxonomy: Taxonomy) -> None:
    root = "production.protective-equipment"
    known = {word for each in taxonomy.children(root) for word in each.synonyms["en"]}
    assert known >= EMERGENCY_ITEMS
    for each in taxonomy.children(root):
        assert each.unit.code == "item"
        assert each.ships
        # Donors state an item and a number, nothing else.
        assert taxonomy.validate_attributes(each.code, {}, "offer") == []


# --- inheritance ---------------------------------------------------------------------------------


def test_a_child_takes_over_and_amends(taxonomy: Taxonomy) -> None:
    milling = taxonomy.get("production.machining.milling")
    five = taxonomy.get("production.machining.milling.5-axis")
    assert milling is not None
    assert five is not None
    assert five.unit == milling.unit
    assert five.ships
    assert five.attributes["travel_x_mm"] == milling.attributes["travel_x_mm"]
    assert five.attributes["travel_x_mm"].declared_by == milling.code
    assert (milling.attributes["axes"].minimum, five.attributes["axes"].minimum) == (2, 5)
    assert five.attributes["axes"].rule is Rule.AT_LEAST
    assert five.leaf
    assert not milling.leaf
    assert [each.code for each in taxonomy.ancestors(five.code)] == [
        *("production", "production.machining", "production.machining.milling")
    ]


def test_whatever_a_parent_can_ask_a_child_can_answer(taxonomy: Taxonomy) -> None:
    for capability in taxonomy:
        parent = taxonomy.get(capability.parent)
        if parent is None:
            continue
        for key, attribute in parent.attributes.items():
            own = capability.attributes[key]
            assert (own.type, own.rule, own.unit) == (
                attribute.type,
                attribute.rule,
                attribute.unit,
            )


def test_below_is_by_whole_steps_of_the_code(taxonomy: Taxonomy) -> None:
    assert taxonomy.is_below("production.machining.milling", "production.machining")
    assert taxonomy.is_below("production", "production")
    assert not taxonomy.is_below("production.machining", "production.machining.milling")
    assert not taxonomy.is_below("production.machining", "production.mach")
    assert not taxonomy.is_below("production.unheard-of", "production")


def test_an_offer_answers_only_in_the_unit_asked(taxonomy: Taxonomy) -> None:
    assert taxonomy.answers("production.machining.milling", "production.machining")
    assert taxonomy.is_below("production.casting.die", "production")
    assert not taxonomy.answers("production.casting.die", "production")


# --- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "language", "code"),
    [
        ("五轴加工中心", "zh", "production.machining.milling.5-axis"),
        ("五轴", "zh", "production.machining.milling.5-axis"),
        ("5 axis", "en", "production.machining.milling.5-axis"),
        ("５-ＡＸＩＳ", "zh", "production.machining.milling.5-axis"),
        ("livestream", "en", "marketing.livestream-sales"),
        ("直播带货", "zh", "marketing.livestream-sales"),
        ("直播带货", "en", "marketing.livestream-sales"),
        ("laser cuting", "en", "production.sheet-metal.laser-cutting"),
        ("注塑加工", "zh", "production.injection-moulding"),
        ("SMT", "en", "production.electronics.pcb-assembly"),
        ("factoring", "en", "finance.invoice-finance"),
        ("保理", "zh", "finance.invoice-finance"),
        ("KN95", "en", "production.protective-equipment.n95-respirator"),
        ("surgicalMasks", "en", "production.protective-equipment.surgical-mask"),
        ("代理记账", "zh", "management.accounting.bookkeeping"),
        ("translation", "en", "marketing.translation"),
        ("clinical trial", "en", "research.clinical-trials"),
        ("海外仓", "zh", "logistics.warehousing.overseas"),
        ("production.machining.milling", "en", "production.machining.milling"),
    ],
)
def test_search_finds_first_what_is_meant(
    taxonomy: Taxonomy, words: str, language: str, code: str
) -> None:
    hits = taxonomy.search(words, language, 5)
    assert hits[0].capability.code == code
    assert len(hits) <= 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_every_name_and_synonym_finds_its_capability(taxonomy: Taxonomy) -> None:
    for capability in list(taxonomy)[::5]:
        words = [("en", capability.name.en), ("zh", capability.name.zh)]
        words += [(lang, word) for lang, all_ in capability.synonyms.items() for word in all_]
        for language, word in words:
            found = [hit.capability.code for hit in taxonomy.search(word, language, 3)]
            assert capability.code in found, (word, found)


@pytest.mark.parametrize("words", ["", "   ", "!?", "banana", "量子纠缠"])
def test_search_finds_nothing_for_nothing(taxonomy: Taxonomy, words: str) -> None:
    assert taxonomy.search(words, "en", 5) == []
