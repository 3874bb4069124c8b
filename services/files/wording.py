"""What is said about files, in words that can be translated, and what people write in them.

A message stands in the code in English, marked by ``mark``; the catalogue of the pages finds it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Translate = Callable[[str], str]


def mark(text: str) -> str:
    """Mark a text for translation; it is translated when it is told."""
    return text


def same(text: str) -> str:
    """Translate nothing: the text in English."""
    return text


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """Return a text as it is compared: without case, width of letters, and outer blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


class Wrong(ValueError):  # noqa: N818 - says what is the case
    """Something that cannot be read. Its text and its mend are translated when it is told."""

    def __init__(self, message: str, mend: str = "", **values: object) -> None:
        self.message, self.mend_message, self.values = message, mend, values
        super().__init__(self.told(same)[0])

    def told(self, translate: Translate) -> tuple[str, str]:
        """Return what is wrong, and what to change."""
        return (
            translate(self.message) % self.values,
            translate(self.mend_message) % self.values if self.mend_message else "",
        )

    @property
    def mend(self) -> str:
        """What to change, in English."""
        return self.told(same)[1]


class WrongCell(Wrong):
    """A cell whose text is not what its column takes."""


class Unreadable(Wrong):
    """The file as a whole can't be read; the message says why and what to change."""

    def __str__(self) -> str:
        return " ".join(part for part in self.told(same) if part)


@dataclass(frozen=True, slots=True)
class Wording:
    """How a reader of files is spoken to, and which words of theirs are understood."""

    translate: Translate = same
    language: str = "en"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names of columns by what people call them, folded."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Technical values by what people call them (yes, no, levels of disclosure), folded."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Codes of regions by their names, folded."""
    parent: str = ""
    """The organization whose file it is: ids may then be short or missing, and what a person
    needs is asked for; what the file has besides is left alone."""

    def technical(self, cell: str) -> str:
        """Return the technical value that a word stands for, or the word itself."""
        return self.words.get(folded(cell), cell)
