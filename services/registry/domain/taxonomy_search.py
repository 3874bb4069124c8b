"""Finding capabilities by words, in English and Chinese, without a server-side text index.

Every capability has phrases: its names, synonyms and code. Chinese is not cut into words; it is
compared by characters and pairs of characters. Latin script is compared by words with tolerance
for typing errors (rapidfuzz). Scores go from 0 to 100; below `LEAST_SCORE` is not shown.

When no phrase is near enough, the words decide one by one: a capability is worth the share of the
query that its phrases hold, a rare word weighing more than a common one (inverse document
frequency, Spärck Jones 1972).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from rapidfuzz import fuzz

from services.registry.domain.taxonomy_model import Capability

LEAST_SCORE = 60.0
NAME, SYNONYM, CODE = 1.0, 0.97, 0.9
OTHER_LANGUAGE = 0.99  # ties go to the reader's own language
PARTIAL, FUZZY = 90.0, 85.0  # below an exact phrase, which is 100
LEAST_COVERAGE = 0.4  # of the query's weight
SAME_WORD = 86.0
STRANGE = 0.3  # what a word weighs that the taxonomy does not know
HAN = re.compile(r"[\u3400-\u9fff]")


class Evidence(Enum):
    """What a hit rests on, the surest first."""

    PHRASE = auto()  # a name or synonym is near
    WORDS = auto()  # single words are the same
    MEANING = auto()  # a language model finds it near (`meaning`)


@dataclass(frozen=True, slots=True)
class Hit:
    """A capability found, how well (0 to 100), and the phrase, words or query that led to it."""

    capability: Capability
    score: float
    phrase: str
    evidence: Evidence = Evidence.PHRASE


@dataclass(frozen=True, slots=True)
class _Phrase:
    capability: Capability
    language: str
    shown: str
    folded: str
    grams: frozenset[str]
    weight: float


class SearchIndex:
    """All phrases of a taxonomy, folded once."""

    def __init__(self, capabilities: Iterable[Capability]) -> None:
        self._phrases = [phrase for each in capabilities for phrase in _phrases(each)]
        self._words: dict[str, tuple[Capability, set[str]]] = {}
        for phrase in self._phrases:
            held = self._words.setdefault(phrase.capability.code, (phrase.capability, set()))[1]
            held.update(_units(phrase.folded))
        self._frequency = Counter(word for _, words in self._words.values() for word in words)

    def search(self, text: str, language: str, limit: int) -> list[Hit]:
        """Return the best capabilities for `text`, best first, each once."""
        query = _fold(text)
        if not query or limit <= 0:
            return []
        grams = _grams(query)
        spoken = "zh" if language.lower().startswith("zh") else "en"
        best: dict[str, Hit] = {}
        for phrase in self._phrases:
            score = _score(query, grams, phrase) * phrase.weight
            if phrase.language != spoken:
                score *= OTHER_LANGUAGE
            known = best.get(phrase.capability.code)
            if score >= LEAST_SCORE and (known is None or score > known.score):
                best[phrase.capability.code] = Hit(phrase.capability, round(score, 3), phrase.shown)
        if not best:
            best = {hit.capability.code: hit for hit in self._by_words(query)}
        # At the same score the wider capability comes first: it holds the narrower ones.
        ranked = sorted(
            best.values(), key=lambda hit: (-hit.score, hit.capability.depth, hit.capability.code)
        )
        return ranked[:limit]

    def _by_words(self, query: str) -> Iterable[Hit]:
        """Yield what holds enough of the query's words, scored below every phrase that is near."""
        wanted = {word: self._known(word) for word in _units(query)}
        weights = {word: self._weight(known) for word, known in wanted.items()}
        if not wanted:
            return
        whole = sum(weights.values())
        for capability, words in self._words.values():
            held = {w: weights[w] for w, known in wanted.items() if not words.isdisjoint(known)}
            share = sum(held.values()) / whole
            if share >= LEAST_COVERAGE:
                yield Hit(capability, round(share * LEAST_SCORE, 3), " ".join(held), Evidence.WORDS)

    def _known(self, word: str) -> Mapping[str, int]:
        """Return the words of the taxonomy that a word may be, with their frequencies."""
        if word in self._frequency or HAN.search(word):
            return {word: self._frequency.get(word, 0)}
        return {w: n for w, n in self._frequency.items() if fuzz.ratio(word, w) >= SAME_WORD}

    def _weight(self, known: Mapping[str, int]) -> float:
        count = sum(known.values())
        return math.log(1 + len(self._words) / (1 + count)) * (1.0 if count else STRANGE)


def _phrases(capability: Capability) -> Iterable[_Phrase]:
    words = [("en", capability.name.en, NAME), ("zh", capability.name.zh, NAME)]
    words += [
        (language, synonym, SYNONYM)
        for language, synonyms in capability.synonyms.items()
        for synonym in synonyms
    ]
    words.append(("en", capability.code, 1.0))
    words.append(("en", capability.code.rpartition(".")[2], CODE))
    for language, shown, weight in words:
        folded = _fold(shown)
        yield _Phrase(capability, language, shown, folded, _grams(folded), weight)


def _score(query: str, grams: frozenset[str], phrase: _Phrase) -> float:
    if query == phrase.folded:
        return 100.0
    if HAN.search(query):
        return _chinese_score(query, grams, phrase)
    if HAN.search(phrase.folded):
        return 0.0
    words = fuzz.token_set_ratio(query, phrase.folded)
    letters = fuzz.ratio(query, phrase.folded)
    if words == 100.0:
        return PARTIAL * (0.8 + 0.2 * letters / 100)
    if len(query) >= 3 and phrase.folded.startswith(query):
        return PARTIAL * (0.75 + 0.2 * letters / 100)
    # A weighted blend: shared words count, but one common word alone ("design") is not enough.
    return (
        FUZZY
        / 100
        * max(letters, 0.55 * words + 0.45 * fuzz.token_sort_ratio(query, phrase.folded))
    )


def _chinese_score(query: str, grams: frozenset[str], phrase: _Phrase) -> float:
    shared = len(grams & phrase.grams)
    if shared == 0:
        return 0.0
    dice = 2 * shared / (len(grams) + len(phrase.grams))
    dense, other = query.replace(" ", ""), phrase.folded.replace(" ", "")
    if dense in other or other in dense:
        return PARTIAL * (0.75 + 0.25 * dice)
    return FUZZY * dice


def _fold(text: str) -> str:
    """Fold width, case and punctuation: "５ AXIS" and "5-axis" become the same."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w]+|_", " ", plain).split())


def _units(folded: str) -> set[str]:
    """Return what is counted one by one: words in Latin script, pairs of Chinese characters."""
    found: set[str] = set()
    for word in re.sub(r"([\u3400-\u9fff]+)", r" \1 ", folded).split():
        if HAN.search(word):
            found |= {word[i : i + 2] for i in range(max(1, len(word) - 1))}
        elif len(word) > 1:
            found.add(word)
    return found


def _grams(folded: str) -> frozenset[str]:
    """Return the characters and pairs of neighbouring characters, without spaces."""
    dense = folded.replace(" ", "")
    return frozenset(dense) | {dense[i : i + 2] for i in range(len(dense) - 1)}
