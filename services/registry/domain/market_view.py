"""What is offered and wanted by capability, region and week, with no firm to be told apart.

All postings of a side are cut into groups of at least LEAST_FIRMS firms, each group as narrow in
capability and region as that allows. Every figure that is shown is a sum over whole groups, so
whatever is added or subtracted, what is left is whole groups again: no cell that is too thin can
be got by subtraction. (Complementary suppression does the same table by table; see Hundepool et
al., Statistical Disclosure Control, 2012, ch. 4. One partition for all tables needs no search
for linked tables.)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LEAST_FIRMS = 3
WEEKS = 12

Label = tuple[str, str]
"""A capability and a region; "" stands for all."""

EVERYTHING: Label = ("", "")

_Rank = tuple[int, int]
"""How narrow a label is: in place, then in capability."""


@dataclass(frozen=True, slots=True)
class Item:
    """An open offer, or a line of an open demand; ``weeks`` in ticks, by ordinal of the week.

    ``weeks`` is empty where quantities are not public.
    """

    organization: str
    capability: str
    region: str
    unit: str
    weeks: Mapping[int, int]


@dataclass(slots=True)
class Group:
    """At least LEAST_FIRMS firms' items under one label.

    ``counts`` holds the items with something in a week, ``quantities`` their ticks by unit and
    week; both only for weeks in which that many firms have something.
    """

    label: Label
    size: int
    counts: dict[int, int] = field(default_factory=dict)
    quantities: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class Cell:
    """How many offers and lines there are under a label."""

    label: Label
    offers: int = 0
    lines: int = 0


@dataclass(slots=True)
class Week:
    """What there is in a week: items, and ticks of the view's unit."""

    number: int
    offers: int = 0
    lines: int = 0
    free: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The figures of one capability and region."""

    total: Cell
    by_capability: Sequence[Cell]
    by_region: Sequence[Cell]
    weeks: Sequence[Week]


def groups(items: Iterable[Item]) -> list[Group]:
    """Cut items into groups of LEAST_FIRMS firms or more; all are left out if there are fewer."""
    waiting: dict[_Rank, dict[Label, list[Item]]] = {}
    for item in items:
        _put(waiting, next(_labels(item)), item)
    made: dict[Label, list[Item]] = {}
    while waiting:
        rank = max(waiting)  # the narrowest labels first; what is too thin waits under a wider one
        for label, found in waiting.pop(rank).items():
            if _firms(found) >= LEAST_FIRMS:
                made[label] = found
            elif label != EVERYTHING:
                for item in found:
                    labels = list(_labels(item))
                    _put(waiting, labels[labels.index(label) + 1], item)
            elif made:  # too few for a group of their own: a wide, small one takes them in
                made[EVERYTHING] = found + made.pop(min(made, key=lambda each: _width(each, made)))
    return [_group(label, found) for label, found in made.items()]


def _width(label: Label, made: Mapping[Label, Sequence[Item]]) -> tuple[_Rank, int, Label]:
    return _rank(label), _firms(made[label]), label


def _firms(items: Iterable[Item]) -> int:
    return len({item.organization for item in items})


def _rank(label: Label) -> _Rank:
    return _parts(label[1], "-"), _parts(label[0], ".")


def _put(waiting: dict[tuple[int, int], dict[Label, list[Item]]], label: Label, item: Item) -> None:
    rank = _parts(label[1], "-"), _parts(label[0], ".")
    waiting.setdefault(rank, {}).setdefault(label, []).append(item)


def _labels(item: Item) -> Iterator[Label]:
    """Yield the labels of an item, wider and wider: the capability gives way first, then both."""
    steps = item.capability.split(".")
    codes = [".".join(steps[:end]) for end in range(len(steps), 0, -1)]
    yield from ((code, item.region) for code in codes)
    for place in dict.fromkeys([item.region.partition("-")[0], ""]):
        if place != item.region:
            yield from ((code, place) for code in codes[-2:])
    yield EVERYTHING


def _parts(code: str, between: str) -> int:
    return code.count(between) + 1 if code else 0


def _group(label: Label, items: Sequence[Item]) -> Group:
    group = Group(label, len(items))
    counted: dict[int, set[str]] = {}
    measured: dict[tuple[str, int], set[str]] = {}
    for item in items:
        for week, ticks in item.weeks.items():
            counted.setdefault(week, set()).add(item.organization)
            group.counts[week] = group.counts.get(week, 0) + 1
            if ticks:  # who has nothing in a week hides nobody's quantity
                key = item.unit, week
                measured.setdefault(key, set()).add(item.organization)
                group.quantities[key] = group.quantities.get(key, 0) + ticks
    for week, firms in counted.items():
        if len(firms) < LEAST_FIRMS:
            del group.counts[week]
    for key, firms in measured.items():
        if len(firms) < LEAST_FIRMS:
            del group.quantities[key]
    return group


class Market:
    """Both sides of the market as groups, and the figures that are sums of them."""

    def __init__(self, offers: Iterable[Item], lines: Iterable[Item], first_week: int) -> None:
        self._sides = groups(offers), groups(lines)
        self._first = first_week
        self._views: dict[tuple[str, str, str], View] = {}

    def view(self, capability: str, region: str, unit: str) -> View:
        """Return the figures of a capability ("" for all) and region; ``unit`` is a unit's code."""
        key = capability, region, unit
        if key not in self._views:
            self._views[key] = self._view(capability, region, unit)
        return self._views[key]

    def _view(self, capability: str, region: str, unit: str) -> View:
        total = Cell((capability, region))
        below: dict[Label, Cell] = {}
        places: dict[Label, Cell] = {}
        weeks = {n: Week(n) for n in range(self._first, self._first + WEEKS)}
        for side, found in enumerate(self._sides):
            for group in found:
                if not (_code_within(group.label[0], capability) and _within(group, region)):
                    continue
                for cell in (
                    total,
                    _cell(below, (_step_below(group.label[0], capability), region)),
                    _cell(places, (capability, group.label[1])),
                ):
                    _count(cell, side, group.size)
                _add_weeks(weeks, side, group, unit)
        return View(total, _ordered(below), _ordered(places), list(weeks.values()))


def _code_within(code: str, wider: str) -> bool:
    return not wider or code == wider or code.startswith(f"{wider}.")


def _within(group: Group, region: str) -> bool:
    place = group.label[1]
    return not region or place == region or place.startswith(f"{region}-")


def _step_below(code: str, wider: str) -> str:
    return ".".join(code.split(".")[: _parts(wider, ".") + 1])


def _cell(cells: dict[Label, Cell], label: Label) -> Cell:
    return cells.setdefault(label, Cell(label))


def _count(cell: Cell, side: int, size: int) -> None:
    if side == 0:
        cell.offers += size
    else:
        cell.lines += size


def _add_weeks(weeks: Mapping[int, Week], side: int, group: Group, unit: str) -> None:
    for number, count in group.counts.items():
        if number in weeks:
            week = weeks[number]
            if side == 0:
                week.offers += count
            else:
                week.lines += count
    for (of_unit, number), ticks in group.quantities.items():
        if of_unit == unit and number in weeks:
            week = weeks[number]
            if side == 0:
                week.free += ticks
            else:
                week.wanted += ticks


def _ordered(cells: Mapping[Label, Cell]) -> list[Cell]:
    """Return the cells, most first; the widest, which holds what no narrower one does, last."""
    narrowest = max((sum(_rank(label)) for label in cells), default=0)
    return sorted(
        cells.values(),
        key=lambda cell: (
            narrowest - sum(_rank(cell.label)),
            -(cell.offers + cell.lines),
            cell.label,
        ),
    )


def spread(quantity: int, first: int, last: int) -> dict[int, int]:
    """Spread a quantity evenly over weeks, both included; the first ones take what is left over."""
    each, rest = divmod(quantity, last - first + 1)
    return {week: each + (week - first < rest) for week in range(first, last + 1)}
