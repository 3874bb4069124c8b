"""Finding capabilities by what words mean, where no name or synonym is near them.

A language model turns texts into vectors of length 1; the cosine of two of them says how near their
meanings are. Multilingual models put almost everything between 0.7 and 0.9, so what counts is how
much nearer a capability is than everyday talk, which is the same for a market of ten capabilities
and one of a thousand. The thresholds are those of multilingual-e5-small (Wang et al. 2024,
arXiv:2402.05672), set on the calibration part of tests/unit/registry/meaning_probes.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.taxonomy_model import Capability
from services.registry.domain.taxonomy_search import LEAST_SCORE, Evidence, Hit

Vector = NDArray[np.float32]
"""Shape (d,): the meaning of a text, or of two."""

Sense = tuple[str, str]
"""What stands for a capability: its words in both languages, and those in Chinese alone."""

LEAST_STANDOUT = 0.03
"""So far above the average cosine of everyday talk the nearest capability must be."""
CLOSE = 0.03
"""What is further than this behind the nearest is not suggested beside it."""
SURE_SCORE = 75.0
"""From this score on, words need no help of meaning."""
_FULL_STANDOUT = 0.2  # scores 100; what is seen is below 0.12
_BELOW_PHRASES = LEAST_SCORE - 1

_TALK = (
    ("greeting, hello", "问候，你好"),
    ("small talk, feelings", "闲聊，心情"),
    ("weather", "天气"),
    ("love and family", "爱情，家人"),
    ("random letters, gibberish", "乱码，无意义"),
    ("story, fairy tale", "故事，童话"),
    ("films and sport", "电影，体育比赛"),
    ("meals, leisure", "吃饭，休闲，旅行"),
    ("thanks, farewell", "谢谢，再见"),
    ("time of day", "几点了"),
)
TALK: Sequence[Sense] = tuple((f"{en} / {zh}", zh) for en, zh in _TALK)
"""What people type who look for no capability."""


def sense(capability: Capability) -> Sense:
    """Return the two texts whose vectors, averaged, stand for a capability.

    Chinese counts twice: the model tells the short Chinese names apart better than the English.
    """
    english = ", ".join((capability.name.en, *capability.synonyms.get("en", ())))
    chinese = "、".join((capability.name.zh, *capability.synonyms.get("zh", ())))
    return f"{english} / {chinese}", chinese


def senses(taxonomy: Iterable[Capability]) -> dict[str, Sense]:
    """Return what stands for each capability that may be meant, by code.

    The tops of the branches are left out: nobody who describes a thing means all of production.
    """
    return {each.code: sense(each) for each in taxonomy if each.depth and not each.deprecated}


@dataclass(frozen=True, slots=True)
class Nearness:
    """How far capabilities stand out from talk, the nearest first; ``talk``: none is meant."""

    standouts: Mapping[str, float]
    talk: bool

    def close(self) -> Mapping[str, float]:
        """Return what may be meant, the nearest first."""
        if self.talk:
            return {}
        furthest = next(iter(self.standouts.values()), 0.0)
        return {code: each for code, each in self.standouts.items() if each >= furthest - CLOSE}


class MeaningIndex:
    """The vectors of all capabilities, and of everyday talk."""

    def __init__(self, wanted: Mapping[str, Sense], vectors: Mapping[Sense, Vector]) -> None:
        """Take what `senses` returned; ``vectors`` has each of them and all of `TALK`."""
        self._codes = list(wanted)
        self._capabilities = np.stack([vectors[each] for each in wanted.values()])
        self._talk = np.stack([vectors[each] for each in TALK])

    def nearness(self, query: Vector) -> Nearness:
        """Return how far each capability stands out for a query's vector."""
        cosines = self._capabilities @ query
        order = np.argsort(-cosines, kind="stable")
        talk, highest = self._talk @ query, float(cosines[order[0]])
        average = float(talk.mean())
        found = {self._codes[i]: float(cosines[i]) - average for i in order}
        is_talk = highest - average < LEAST_STANDOUT or highest <= float(talk.max())
        return Nearness(found, is_talk)


def is_sure(hits: Sequence[Hit]) -> bool:
    """Say whether words alone have found what is meant."""
    return bool(hits) and hits[0].score >= SURE_SCORE


def joined(
    hits: Sequence[Hit], near: Nearness, taxonomy: Taxonomy, text: str, limit: int
) -> list[Hit]:
    """Return near phrases first, then words that meaning bears out, then what is only meant."""
    close = near.close()
    kept = [hit for hit in hits if hit.evidence is Evidence.PHRASE or hit.capability.code in close]
    known = {hit.capability.code for hit in kept}
    for code, standout in close.items():
        capability = taxonomy.get(code)
        if code not in known and capability is not None and not capability.deprecated:
            score = min(100 * standout / _FULL_STANDOUT, _BELOW_PHRASES)
            kept.append(Hit(capability, round(score, 3), text, Evidence.MEANING))
    return kept[:limit]
