"""The real language model on the real taxonomy: what people say in words that stand nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from services.gateway.understanding import sentence
from services.registry import language_model
from services.registry.domain import meaning
from services.registry.domain.meaning import MeaningIndex, Sense
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from services.registry.domain.taxonomy_search import Hit
from services.registry.language_model import E5Small
from tests.unit.registry import meaning_probes

pytestmark = pytest.mark.skipif(
    bool(language_model.missing()), reason=f"make meaning: {language_model.missing()}"
)
BRANCHES = ("finance.", "talent.", "technology.")


class Searching:
    """A search over the whole taxonomy, by words and by the meaning of some capabilities."""

    def __init__(self, taxonomy: Taxonomy, wanted: Mapping[str, Sense]) -> None:
        self.taxonomy = taxonomy
        self.model = E5Small()
        self.index = MeaningIndex(wanted, {each: self._vector(each) for each in _all(wanted)})

    def _vector(self, sense: Sense) -> meaning.Vector:
        vector: meaning.Vector = self.model.passages(sense).mean(axis=0)
        return vector

    def by_words(self, text: str) -> Sequence[Hit]:
        return self.taxonomy.search(text, limit=6)

    def __call__(self, text: str) -> Sequence[Hit]:
        found = self.by_words(text)
        if meaning.is_sure(found):
            return found
        near = self.index.nearness(self.model.query(text))
        return meaning.joined(found, near, self.taxonomy, text, 6)


def _all(wanted: Mapping[str, Sense]) -> list[Sense]:
    return [*wanted.values(), *meaning.TALK]


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


def test_three_branches_are_found_by_meaning(taxonomy: Taxonomy) -> None:
    """Small enough for every run; the whole taxonomy is below."""
    wanted = {c: s for c, s in meaning.senses(taxonomy).items() if c.startswith(BRANCHES)}
    search = Searching(taxonomy, wanted)
    asked = [
        each for each in meaning_probes.probes("held_out") if each.codes[0].startswith(BRANCHES)
    ]
    assert len(asked) >= 10
    assert sum(each.is_right(search.by_words(each.text)) for each in asked) <= 1
    # Measured 7 of 10 and none; another processor may round otherwise.
    assert sum(each.is_right(search(each.text)) for each in asked) >= 6
    assert sum(bool(search(each)) for each in meaning_probes.nonsense("held_out")) <= 1


def _typed(text: str) -> str:
    """Return what the posting page searches for when somebody types a text."""
    read = sentence.read(text, date(2026, 11, 23))
    return read.words or read.text


@pytest.mark.thorough
@pytest.mark.timeout(900)  # some 25 s of a processor, which may be busy
def test_most_of_what_people_mean_is_found_and_nonsense_is_not(taxonomy: Taxonomy) -> None:
    search = Searching(taxonomy, meaning.senses(taxonomy))
    asked, talk = meaning_probes.probes("held_out"), meaning_probes.nonsense("held_out")
    for read in (str, _typed):
        by_words = sum(each.is_right(search.by_words(read(each.text))) for each in asked)
        right = sum(each.is_right(search(read(each.text))) for each in asked)
        taken = [each for each in talk if search(read(each))]
        print(f"first three: {right} of {len(asked)}, by words {by_words}; taken: {taken}")
        # Measured 40 and 39 of 61 (by words 2 and 6), and none of 16; another processor may
        # round otherwise.
        assert right >= 37
        assert by_words <= right // 3
        assert len(taken) <= 1
