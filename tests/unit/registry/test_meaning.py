"""Joining what words find with what they mean, on vectors made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from services.registry.domain import meaning
from services.registry.domain.meaning import MeaningIndex, Nearness, Vector
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from services.registry.domain.taxonomy_search import Evidence, Hit
from services.registry.usecases.posting_search import GUESSED, meant

CODES = ("production.casting", "production.forging", "production.welding", "logistics.courier")
D = len(CODES) + 1  # the last direction is talk


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="module")
def index(taxonomy: Taxonomy) -> MeaningIndex:
    known = meaning.senses(taxonomy)
    wanted = {code: known[code] for code in CODES}
    axes = np.eye(D, dtype=np.float32)
    vectors = {sense: axes[i] for i, sense in enumerate(wanted.values())}
    return MeaningIndex(wanted, vectors | dict.fromkeys(meaning.TALK, axes[-1]))


def query(*cosines: float) -> Vector:
    return np.array([*cosines, *[0.0] * (D - len(cosines))], dtype=np.float32)


def hit(taxonomy: Taxonomy, code: str, evidence: Evidence, score: float = 65.0) -> Hit:
    capability = taxonomy.get(code)
    assert capability is not None
    return Hit(capability, score, "", evidence)


def codes(found: list[Hit]) -> list[str]:
    return [each.capability.code for each in found]


def test_capabilities_stand_out_in_the_order_of_their_cosines(index: MeaningIndex) -> None:
    near = index.nearness(query(0.38, 0.5, 0.48, 0.1, 0.2))
    assert list(near.standouts) == [CODES[1], CODES[2], CODES[0], CODES[3]]
    assert near.standouts[CODES[1]] == pytest.approx(0.3)  # above the 0.2 of talk
    assert list(near.close()) == [CODES[1], CODES[2]]


@pytest.mark.parametrize(
    ("cosines", "talk"),
    [
        ((0.5, 0.5, 0.5, 0.5, 0.48), True),  # nothing stands out
        ((0.5, 0.4, 0.4, 0.4, 0.46), False),
        ((0.5, 0.4, 0.4, 0.4, 0.51), True),  # talk is nearer
    ],
)
def test_talk_means_no_capability(
    index: MeaningIndex, taxonomy: Taxonomy, cosines: tuple[float, ...], talk: bool
) -> None:
    near = index.nearness(query(*cosines))
    assert near.talk is talk
    assert bool(near.close()) is not talk
    assert (meaning.joined([], near, taxonomy, "words", 3) == []) is talk


def test_one_word_of_talk_that_is_nearer_is_enough(taxonomy: Taxonomy) -> None:
    known = meaning.senses(taxonomy)
    wanted = {CODES[0]: known[CODES[0]]}
    axes = np.eye(2, dtype=np.float32)
    vectors = dict.fromkeys(meaning.TALK, -axes[0])
    vectors |= {meaning.TALK[3]: axes[1], wanted[CODES[0]]: axes[0]}
    index = MeaningIndex(wanted, vectors)
    assert index.nearness(np.array([0.6, 0.7], np.float32)).talk
    assert not index.nearness(np.array([0.7, 0.6], np.float32)).talk


def test_phrases_come_first_then_words_that_meaning_bears_out(taxonomy: Taxonomy) -> None:
    near = Nearness({CODES[1]: 0.12, CODES[2]: 0.1, CODES[0]: 0.05, CODES[3]: 0.01}, talk=False)
    phrase = hit(taxonomy, CODES[3], Evidence.PHRASE)
    vouched = hit(taxonomy, CODES[2], Evidence.WORDS, 30.0)
    mistaken = hit(taxonomy, CODES[0], Evidence.WORDS, 30.0)
    found = meaning.joined([phrase], near, taxonomy, "w", 3)
    assert codes(found) == [CODES[3], CODES[1], CODES[2]]
    found = meaning.joined([mistaken, vouched], near, taxonomy, "w", 2)
    assert codes(found) == [CODES[2], CODES[1]]
    assert [each.evidence for each in found] == [Evidence.WORDS, Evidence.MEANING]
    assert found[1].phrase == "w"
    assert found[1].score == pytest.approx(59)  # below every phrase that is near
    assert found[1].score < phrase.score


def test_of_talk_only_phrases_are_kept(taxonomy: Taxonomy) -> None:
    near = Nearness({CODES[0]: 0.12}, talk=True)
    phrase = hit(taxonomy, CODES[1], Evidence.PHRASE)
    words = hit(taxonomy, CODES[0], Evidence.WORDS, 50.0)
    assert meaning.joined([phrase], near, taxonomy, "hello", 3) == [phrase]
    assert meaning.joined([words], near, taxonomy, "hello", 3) == []


def test_what_is_deprecated_or_gone_is_not_guessed(taxonomy: Taxonomy) -> None:
    definition = taxonomy.definition(CODES[1])
    assert definition is not None
    written = definition.model_dump(exclude_unset=True, by_alias=True)
    later = taxonomy.extended({CODES[1]: written | {"deprecated": True}})
    assert CODES[1] not in meaning.senses(later)
    near = Nearness({"production.gone": 0.12, CODES[1]: 0.11, CODES[0]: 0.1}, talk=False)
    assert codes(meaning.joined([], near, later, "w", 3)) == [CODES[0]]


def test_branches_are_not_meant_and_each_capability_has_both_languages(taxonomy: Taxonomy) -> None:
    known = meaning.senses(taxonomy)
    assert "production" not in known
    both, chinese = known["production.casting"]
    assert both == f"Casting, foundry, metal casting / {chinese}"
    assert chinese == "铸造、铸件、翻砂"


def test_only_words_that_are_near_enough_need_no_help(taxonomy: Taxonomy) -> None:
    assert meaning.is_sure(taxonomy.search("铣削"))
    assert not meaning.is_sure([])
    assert not meaning.is_sure(taxonomy.search("metal parts that must not rust"))


def test_a_search_of_postings_takes_guesses_only_where_no_name_is_near(taxonomy: Taxonomy) -> None:
    guesses = [hit(taxonomy, code, Evidence.MEANING, 50.0) for code in CODES]
    assert meant(guesses) == dict.fromkeys(CODES[:3], GUESSED)
    assert meant([hit(taxonomy, CODES[3], Evidence.PHRASE, 80.0), *guesses]) == {CODES[3]: 0.8}
    assert meant([hit(taxonomy, CODES[3], Evidence.PHRASE, 65.0)]) == {}
