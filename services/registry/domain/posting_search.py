"""Finding open postings of a side by words and filters, by what anyone may know of them.

Words are those of `search_words`: Latin words, pairs of Chinese characters. A posting is worth the
share of the query that its words hold, a rare word weighing more than a common one (inverse
document frequency, Spärck Jones 1972). A query that means a capability, in either language, finds
all postings of it, whatever they are called.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from services.registry.domain import search_words
from services.registry.domain.market_entries import Entry, Part

TITLE, DESCRIPTION = 1.0, 0.7
LEAST_WORTH = 0.5
"""The least share of a query that a posting must hold."""
PREFIX_LETTERS = 3
_MOST_ENDINGS = 30


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; ``meant`` are the capabilities that the text may mean, and how surely.

    ``weeks`` is the first and last ordinal, both included, or None; ``least`` is in ticks of the
    unit of ``capability`` and needs it: ``same_unit`` are the capabilities that have that unit.
    """

    text: str = ""
    meant: Mapping[str, float] | None = None
    capability: str = ""
    region: str = ""
    weeks: tuple[int, int] | None = None
    least: int = 0
    same_unit: frozenset[str] = frozenset()
    standards: frozenset[str] = frozenset()
    own: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a list shows: postings with all of these words in their title, and so on.

    ``served_by`` is the capability of an offer that could serve a line; ``week`` an ordinal.
    """

    words: Sequence[str] = ()
    capability: str = ""
    region: str = ""
    served_by: str = ""
    week: int | None = None


class PostingSearch:
    """The open postings of one side, by word, capability, place and firm."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._title: dict[str, set[str]] = {}
        self._description: dict[str, set[str]] = {}
        self._codes: dict[str, set[str]] = {}
        self._lines: dict[str, set[str]] = {}
        self._firms: dict[str, set[str]] = {}
        self._places: dict[str, set[str]] = {}
        self._vocabulary: list[str] | None = None

    def replace(self, gone: Iterable[Entry], fresh: Iterable[Entry]) -> None:
        """Take entries out and others in."""
        for entry in gone:
            del self._entries[entry.name]
            for table, key in self._keys(entry):
                table[key].discard(entry.name)
                if not table[key]:
                    del table[key]
        for entry in fresh:
            self._entries[entry.name] = entry
            for table, key in self._keys(entry):
                table.setdefault(key, set()).add(entry.name)
        self._vocabulary = None

    def _keys(self, entry: Entry) -> Iterable[tuple[dict[str, set[str]], str]]:
        yield from ((self._title, word) for word in entry.title)
        yield from ((self._description, word) for word in entry.description)
        yield from ((self._places, place) for place in entry.places)
        for code in {code for part in entry.parts for code in _upwards(part.capability)}:
            yield self._codes, code
        yield from ((self._lines, code) for code in {part.capability for part in entry.parts})
        yield self._firms, entry.organization

    def of_firm(self, organization: str) -> list[Entry]:
        """Return the postings of a firm."""
        return [self._entries[name] for name in self._firms.get(organization, ())]

    def listed(self, shelf: Shelf, before: int) -> list[Entry]:
        """Return what a list shows of those posted before a number (0: of all), newest first."""
        sets = [self._title.get(word, set()) for word in shelf.words]
        if shelf.capability:
            sets.append(self._codes.get(shelf.capability, set()))
        if shelf.region:
            sets.append(self._places.get(shelf.region, set()))
        if shelf.served_by:
            wider = _upwards(shelf.served_by)
            sets.append(set().union(*(self._lines.get(code, ()) for code in wider)))
        found = self._all_in(sets)
        if before:
            found = [entry for entry in found if entry.posted < before]
        if shelf.week is not None:
            found = [e for e in found if e.span and e.span[0] <= shelf.week <= e.span[1]]
        return sorted(found, key=attrgetter("posted"), reverse=True)

    def _all_in(self, sets: list[set[str]]) -> list[Entry]:
        """Return the entries that are in all of these sets."""
        if not sets:
            return list(self._entries.values())
        sets.sort(key=len)
        return [self._entries[name] for name in set.intersection(*sets)]

    def find(self, query: Query, holders: Mapping[str, frozenset[str]]) -> list[Entry]:
        """Return what answers a query: the best first, and of those as good the newest.

        ``holders`` are the standards that firms are certified to, by firm: an offer is asked for
        those of its firm, as far as it is public whose it is; a line for those that it asks for.
        """
        worth = self._worth(query)
        found = self._candidates(query, worth)
        if query.own:
            found = [entry for entry in found if entry.organization != query.own]
        if query.weeks is not None or query.least or query.standards:
            found = [entry for entry in found if fits(entry, query, holders)]
        found.sort(key=attrgetter("posted"), reverse=True)
        if worth is not None:
            found.sort(key=lambda entry: -round(worth[entry.name], 2))
        return found

    def _candidates(self, query: Query, worth: Mapping[str, float] | None) -> list[Entry]:
        sets: list[set[str]] = []
        if query.capability:
            sets.append(self._codes.get(query.capability, set()))
        if query.region:
            sets.append(self._places.get(query.region, set()))
        if worth is not None:
            sets.append(set(worth))
        return self._all_in(sets)

    def _worth(self, query: Query) -> dict[str, float] | None:
        """Return what each posting is worth for the words; None when none are given."""
        if not query.text.strip():
            return None
        words = search_words.words(query.text)
        held: dict[str, float] = {}
        weights = {word: self._weight(word) for word in words}
        whole = sum(weights.values()) or 1.0
        for word, weight in weights.items():
            best: dict[str, float] = {}
            for table, factor in ((self._description, DESCRIPTION), (self._title, TITLE)):
                for known in self._like(word):
                    best.update(dict.fromkeys(table.get(known, ()), factor))
            for name, factor in best.items():
                held[name] = held.get(name, 0.0) + weight * factor / whole
        found = {name: worth for name, worth in held.items() if worth >= LEAST_WORTH * DESCRIPTION}
        for code, surety in (query.meant or {}).items():
            for name in self._codes.get(code, ()):
                found[name] = max(found.get(name, 0.0), surety) + 0.1 * held.get(name, 0.0)
        return found

    def _weight(self, word: str) -> float:
        count = len(self._title.get(word, ())) + len(self._description.get(word, ()))
        return math.log(2 + len(self._entries) / (1 + count))

    def _like(self, word: str) -> Sequence[str]:
        """Return the known words that a word may be: itself, and those that begin with it."""
        if len(word) < PREFIX_LETTERS or not word.isascii():
            return (word,)
        if self._vocabulary is None:
            self._vocabulary = sorted(
                each for each in {*self._title, *self._description} if each.isascii()
            )
        start = bisect_left(self._vocabulary, word)
        near = self._vocabulary[start : start + _MOST_ENDINGS]
        return [each for each in near if each.startswith(word)]


def fits(entry: Entry, query: Query, holders: Mapping[str, frozenset[str]]) -> bool:
    """Compare an entry with all of a query but its words, by what is public of it."""
    if query.region and query.region not in entry.places:
        return False
    if entry.is_offer and query.standards:
        certified = holders.get(entry.organization, frozenset())
        if not entry.identity_public or not query.standards <= certified:
            return False
    return any(_part_fits(part, query, entry.is_offer) for part in entry.parts)


def _part_fits(part: Part, query: Query, is_offer: bool) -> bool:
    if query.capability and query.capability not in _upwards(part.capability):
        return False
    if not is_offer and not query.standards <= part.standards:
        return False
    if query.weeks is None and not query.least:
        return True
    if query.least and part.capability not in query.same_unit:
        return False
    return _amount(part, query.weeks, is_offer) >= max(query.least, 1)


def _amount(part: Part, weeks: tuple[int, int] | None, is_offer: bool) -> int:
    """Return the ticks there are in the weeks: of an offer their sum, of a line all or nothing."""
    if weeks is None:
        return part.open
    first, last = weeks
    if last - first < len(part.weeks):
        there = [part.weeks[week] for week in range(first, last + 1) if week in part.weeks]
    else:
        there = [ticks for week, ticks in part.weeks.items() if first <= week <= last]
    return sum(there) if is_offer else part.open * bool(there)


def _upwards(code: str) -> list[str]:
    steps = code.split(".")
    return [".".join(steps[:end]) for end in range(1, len(steps) + 1)]
