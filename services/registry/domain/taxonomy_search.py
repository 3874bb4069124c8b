"""Finding capabilities by words, in English and Chinese, without a server-side text index.

Every capability has phrases: its names, synonyms and code. Chinese is not cut into words; it is
compared by characters and pairs of characters. Latin script is compared by words with tolerance
for typing errors (rapidfuzz). Scores go from 0 to 100; below `LEAST_SCORE` is not shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz

from services.registry.domain.taxonomy_model import Capability

LEAST_SCORE = 60.0
NAME, SYNONYM, CODE = 1.0, 0.97, 0.9
OTHER_LANGUAGE = 0.99  # ties go to the reader's own language
PARTIAL, FUZZY = 90.0, 85.0  # below an exact phrase, which is 100
HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A capability found, how well (0 to 100), and the phrase that matched best."""

    capability: Capability
    score: float
    phrase: str


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
        # At the same score the wider capability comes first: it holds the narrower ones.
        ranked = sorted(
            best.values(), key=lambda hit: (-hit.score, hit.capability.depth, hit.capability.code)
        )
        return ranked[:limit]


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
    if query in phrase.folded or phrase.folded in query:
        return PARTIAL * (0.75 + 0.25 * dice)
    return FUZZY * dice


def _fold(text: str) -> str:
    """Fold width, case and punctuation: "５ AXIS" and "5-axis" become the same."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w]+|_", " ", plain).split())


def _grams(folded: str) -> frozenset[str]:
    """Return the characters and pairs of neighbouring characters, without spaces."""
    dense = folded.replace(" ", "")
    return frozenset(dense) | {dense[i : i + 2] for i in range(len(dense) - 1)}
