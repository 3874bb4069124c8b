"""The words by which postings are found: a store without a text index finds them by equality.

Latin script is cut into words, Chinese into pairs of neighbouring characters (and single ones).
"""

import re
import unicodedata

_LATIN = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u9fff]+")


def words(text: str) -> list[str]:
    """Return the words of a text, folded, each once, in order."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    found: dict[str, None] = {}
    for part in _LATIN.findall(folded):
        for run in _HAN.findall(part):
            found.update(dict.fromkeys(_pairs(run)))
        found.update((rest, None) for rest in _HAN.sub(" ", part).split() if len(rest) > 1)
    return list(found)


def _pairs(run: str) -> list[str]:
    if len(run) == 1:
        return [run]
    return [run[i : i + 2] for i in range(len(run) - 1)]
