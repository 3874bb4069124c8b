"""Files for people to take away: templates, exports, and an upload marked with what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

from services.files import amounts, attribute_text, cells, columns, examples, exports, headers
from services.files.columns import ATTRIBUTE, GRADES, LEVELS, YES_NO, Column, Kind
from services.files.rows import Posting
from services.files.taxonomy import Taxonomy, label, said
from services.files.wording import mark
from services.files.workbooks import Choices, Sheet
from services.gateway.files.told import told
from services.gateway.languages import translations
from spareline.market.v1.capability_pb2 import AttributeSchema, Capability
from spareline.market.v1.import_pb2 import Import, ImportRow
from spareline.market.v1.offer_pb2 import Offer

_WEEKS: Final = 12
# What is filled in first stands first; the rest follows in the order of the contract.
_FIRST: Final[Mapping[Kind, Sequence[str]]] = {
    "offers": ("title", "capability", "unit_price_cny"),
    "demands": (
        "title",
        "line",
        "capability",
        "quantity",
        "earliest",
        "latest",
        "limit_price_cny",
    ),
}
BOM: Final = "\ufeff"
"""Tells spreadsheets that a CSV file is UTF-8; without it they take Chinese for something else."""


def template_names(capability: Capability, kind: Kind, weeks: Sequence[str]) -> list[str]:
    """Return the technical names of a template's columns: what has to be filled in comes first."""
    schemas = sorted(capability.attributes, key=lambda each: not each.required_in_offer)
    attributes = [ATTRIBUTE + each.key for each in schemas]
    first = list(_FIRST[kind])
    rest = [x for x in columns.known(kind) if x not in first and x not in ("name", "capacity")]
    by_week = list(weeks) if kind == "offers" else []
    return [*first, *by_week, *attributes, *rest, "name"]


def template(
    capability: Capability, kind: Kind, known: Taxonomy, language: str, today: date
) -> Sheet:
    """Return a sheet with a header, an example that can be imported, and choices to pick from."""
    weeks = examples.ahead(today, _WEEKS)
    names = template_names(capability, kind, weeks)
    make = examples.offer if kind == "offers" else examples.demand
    said_ = _example(make(capability, today, language=language, weeks=4), kind, known, language)
    said_["capability"] = _capability_name(capability, known, language)
    return Sheet(
        translations(language).gettext(_SHEETS[kind]),
        _titles(names, kind, capability, language),
        [[said_.get(name, "") for name in names]],
        numbers=frozenset(i for i, name in enumerate(names) if _is_number(name, kind, weeks)),
        choices={
            index: choices
            for index, name in enumerate(names)
            if (choices := _choices(name, kind, capability, known, language)) is not None
        },
    )


def guide(capability: Capability, kind: Kind, language: str, today: date) -> Sheet:
    """Return a sheet that says what stands in each column of a template."""
    _ = translations(language).gettext
    names = template_names(capability, kind, examples.ahead(today, 1))
    schemas = {ATTRIBUTE + each.key: each for each in capability.attributes}
    unit = said(capability.unit.display_name, language)
    lines = []
    for name, title in zip(names, _titles(names, kind, capability, language), strict=True):
        column = columns.known(kind).get(name)
        if column is not None:
            text = translations(language).gettext(_help(column))
            lines.append([title, text, _("needed") if column.needed else ""])
        elif name in schemas:
            needed = kind == "offers" and schemas[name].required_in_offer
            lines.append([title, _shape(schemas[name], language), _("needed") if needed else ""])
        else:
            step = capability.unit.resolution
            text = _(
                "how much is free in this week, in %(unit)s, in steps of %(step)s; add "
                "columns for more weeks"
            )
            lines.append([title, text % {"unit": unit, "step": step}, _("needed")])
    return Sheet(_("How to fill it in"), [_("Column"), _("What stands in it"), ""], lines)


def export_csv(postings: Sequence[Posting], kind: Kind, known: Taxonomy, language: str) -> str:
    """Return offers or demands as CSV in a language. Raises WrongCell."""
    table = exports.table(postings, kind, known, translations(language).gettext, language)
    return BOM + "".join(exports.csv_lines(table))


def export_xlsx(postings: Sequence[Posting], known: Taxonomy, language: str) -> bytes:
    """Return offers and demands as a workbook in a language. Raises WrongCell."""
    translate = translations(language).gettext
    names = (translate(_SHEETS["offers"]), translate(_SHEETS["demands"]))
    return exports.workbook(postings, known, names, translate, language)


def marked(
    found: Import, rows: Sequence[ImportRow], known: Taxonomy, language: str
) -> Iterator[Sheet]:
    """Yield the sheets of an upload as they came, with a first column that says what to change."""
    heading = translations(language).gettext(headers.PROBLEMS)
    for at, table in enumerate(found.tables):
        lines: list[list[str]] = []
        wrong: set[tuple[int, int]] = set()
        # A column of ours from the last time is not repeated.
        kept = [
            i
            for i, _ in enumerate(table.header)
            if table.columns[i] or not is_ours(table.header[i])
        ]
        for row in rows:
            if row.table != at:
                continue
            problems = told(row, found.tables, known, language)
            for index, line in enumerate(row.lines):
                mine = [each for each in problems if each.line == index]
                text = "; ".join(
                    f"{each.title}: {each.description}. {each.mend}".rstrip(". ") for each in mine
                )
                wrong |= {(len(lines), kept.index(x.place) + 1) for x in mine if x.place in kept}
                lines.append([text, *(line.cells[i] if i < len(line.cells) else "" for i in kept)])
        yield Sheet(
            table.name or "1",
            [heading, *(table.header[i] for i in kept)],
            lines,
            wrong=frozenset(wrong),
        )


def as_csv(sheet: Sheet) -> str:
    """Return a sheet as CSV, in which no cell is run."""
    lines = iter([[cells.bare(cell) for cell in line] for line in sheet.lines])
    return BOM + "".join(exports.csv_lines(exports.Titled(sheet.header, sheet.header, lines)))


_SHEETS: Final[Mapping[Kind, str]] = {
    "offers": mark("Offers"),
    "demands": mark("Demands"),
}


def is_ours(title: str) -> bool:
    """Tell whether a column is the one in which we have said what is wrong."""
    return title in {translations(language).gettext(headers.PROBLEMS) for language in ("en", "zh")}


def _titles(names: Sequence[str], kind: Kind, capability: Capability, language: str) -> list[str]:
    called = {each.key: label(each, language) for each in capability.attributes}
    return headers.titles(names, kind, translations(language).gettext, lambda key: called[key])


def _example(posting: Posting, kind: Kind, known: Taxonomy, language: str) -> dict[str, str]:
    made = exports.table([posting], kind, known, translations(language).gettext, language)
    found = dict(zip(made.names, next(made.lines), strict=True))
    if isinstance(posting, Offer):
        resolution = known.capability(posting.capability).unit.resolution
        for each in posting.capacity:
            found[each.period] = amounts.units(each.quantity, resolution)
    return found


def _capability_name(capability: Capability, known: Taxonomy, language: str) -> str:
    """Return what a capability is called, or its code where others are called the same."""
    name = said(capability.display_name, language)
    try:
        return name if known.code(name) == capability.code else capability.code
    except ValueError:
        return capability.code


def _is_number(name: str, kind: Kind, weeks: Sequence[str]) -> bool:
    column = columns.known(kind).get(name)
    return name in weeks or (column is not None and column.content == "number")


def _choices(
    name: str, kind: Kind, capability: Capability, known: Taxonomy, language: str
) -> Choices | None:
    _ = translations(language).gettext
    column = columns.known(kind).get(name)
    if name == "capability":
        below = [x for x in known.capabilities if f"{x}.".startswith(f"{capability.code}.")]
        return Choices(
            [_capability_name(known.capability(x), known, language) for x in below], strict=False
        )
    if name == "least_credit_grade":
        return Choices(list(GRADES))
    if column is not None and column.content in ("flag", "level"):
        words = YES_NO if column.content == "flag" else LEVELS
        return Choices([_(text) for text in words.values()])
    for schema in capability.attributes:
        if ATTRIBUTE + schema.key == name:
            return _attribute_choices(schema, language)
    return None


def _help(column: Column) -> str:
    """Return what stands in a column, for a person who fills in a table."""
    if column.name == "name":
        return mark("a short id such as mill-1; may be left empty")
    if column.name == "capability":
        return mark("name of the capability, or its code")
    if column.content == "level":
        return mark("pick one; empty: as is usual")
    if column.content == "week":
        return mark("a week such as 2026-W48, or a day in it")
    if column.content == "regions":
        return mark("names or codes of regions or countries, divided by semicolons")
    return column.help


def _attribute_choices(schema: AttributeSchema, language: str) -> Choices | None:
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        _ = translations(language).gettext
        return Choices([_(text) for text in YES_NO.values()])
    if schema.type not in (AttributeSchema.TYPE_CHOICE, AttributeSchema.TYPE_CHOICES):
        return None
    names = attribute_text.choice_names(schema, language)
    said_ = [names.get(choice.code, choice.code) for choice in schema.choices]
    # Several may be written into one cell, which no list to pick from can offer.
    return Choices(said_, strict=schema.type == AttributeSchema.TYPE_CHOICE)


def _shape(schema: AttributeSchema, language: str) -> str:
    """Return what may stand in the column of an attribute."""
    _ = translations(language).gettext
    if schema.choices:
        names = attribute_text.choice_names(schema, language)
        listed = "; ".join(names.get(choice.code, choice.code) for choice in schema.choices)
        one = schema.type == AttributeSchema.TYPE_CHOICE
        text = (
            _("one of: %(known)s") if one else _("any of these, divided by semicolons: %(known)s")
        )
        return text % {"known": listed}
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        return _("yes or no")
    limits = {"least": schema.minimum, "most": schema.maximum}
    if schema.type == AttributeSchema.TYPE_INTEGER:
        return _("a whole number from %(least)s to %(most)s") % limits
    if schema.type == AttributeSchema.TYPE_RANGE:
        return _("a range such as %(least)s..%(most)s") % limits
    return _("a short text")
