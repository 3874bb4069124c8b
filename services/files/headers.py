"""What the first line of a table means: which column is which, and of what kind the table is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from services.files import columns
from services.files.columns import ATTRIBUTE, Kind
from services.files.taxonomy import Taxonomy
from services.files.weeks import looks_like_week, week
from services.files.wording import Translate, Unreadable, Wording, WrongCell, folded, mark

PROBLEMS: Final = mark("What to change")
"""Heads the column in which a file that was checked says what is wrong; never read."""
_KINDS: Final[tuple[Kind, ...]] = ("offers", "demands")
_ONLY_DEMANDS: Final = frozenset({"quantity", "earliest", "latest", "line", "limit_price_cny"})


@dataclass(frozen=True, slots=True)
class Headers:
    """Technical names by place (empty for what is left out), and the weeks among them."""

    kind: Kind
    names: tuple[str, ...]
    weeks: tuple[str, ...]
    ignored: tuple[str, ...]
    """What heads the columns that mean nothing here."""

    @classmethod
    def of(
        cls,
        header: Sequence[str],
        kind: Kind | Literal["auto"],
        taxonomy: Taxonomy,
        wording: Wording,
    ) -> Headers:
        """Understand a header.

        Raises:
            Unreadable: there is an unknown column, or two are the same, or one is missing.
        """
        named = [_named(cell, taxonomy, wording) for cell in header]
        if kind == "auto":
            kind = "demands" if _ONLY_DEMANDS & set(named) else "offers"
        known = columns.known(kind)
        weeks = [x for x in named if kind == "offers" and looks_like_week(x)]
        names, ignored = [], []
        for cell, name in zip(header, named, strict=True):
            fits = name in known or name in weeks or name.startswith(ATTRIBUTE)
            names.append(name if fits else "")
            if cell and not fits:
                ignored.append(cell)
        _require(names, ignored, kind, wording)
        return cls(kind, tuple(names), tuple(dict.fromkeys(weeks)), tuple(ignored))


def wording(
    translators: Sequence[Translate],
    translate: Translate,
    language: str,
    parent: str,
    regions: dict[str, str],
) -> Wording:
    """Return the wording that understands the words of several languages at once."""

    def said(text: str) -> list[str]:
        return [folded(each(text)) for each in translators]

    named = [c for kind in _KINDS for c in columns.known(kind).values()]
    headers = {title: column.name for column in named for title in said(column.title)}
    words = {
        word: value
        for values in (columns.LEVELS, columns.YES_NO)
        for value, text in values.items()
        for word in said(text)
    }
    return Wording(translate, language, headers, words, regions, parent)


def titles(
    names: Sequence[str],
    kind: Kind,
    translate: Callable[[str], str],
    attribute: Callable[[str], str],
) -> list[str]:
    """Return what people call columns; `attribute` gives the title of an attribute's key.

    Where two would be called the same, both keep their technical names.
    """
    known = columns.known(kind)
    found = [
        translate(known[name].title)
        if name in known
        else attribute(name.removeprefix(ATTRIBUTE))
        if name.startswith(ATTRIBUTE)
        else name
        for name in names
    ]
    counts = [folded(title) for title in found]
    return [
        title if counts.count(folded(title)) == 1 else name
        for name, title in zip(names, found, strict=True)
    ]


def _named(cell: str, taxonomy: Taxonomy, wording: Wording) -> str:
    """Return the technical name of a column, or the cell itself."""
    text = folded(cell)
    if text in wording.headers:
        return wording.headers[text]
    for kind in _KINDS:
        if text in columns.known(kind):
            return text
    if text.startswith(ATTRIBUTE):
        return ATTRIBUTE + cell.strip()[len(ATTRIBUTE) :]
    if text in taxonomy.labels:
        return ATTRIBUTE + text
    try:
        return week(cell) if looks_like_week(cell) else cell
    except WrongCell:
        return cell


def _require(names: Sequence[str], ignored: Sequence[str], kind: Kind, wording: Wording) -> None:
    if ignored and not wording.parent:
        raise Unreadable(
            mark("There is no column %(name)s in a file of %(kind)s."),
            mark("`spareline template %(kind)s --capability CODE` writes a header."),
            name=ignored[0],
            kind=kind,
        )
    for needed in ("capability",) if wording.parent else ("name", "capability"):
        if needed not in names:
            raise Unreadable(
                mark("The first line lacks the column %(name)s."),
                mark("Start from a template; its first line names the columns."),
                name=wording.translate(columns.known(kind)[needed].title)
                if wording.parent
                else needed,
            )
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise Unreadable(
            mark("Two columns are both %(name)s."), mark("Remove one of them."), name=twice[0]
        )
