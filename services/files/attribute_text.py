"""Values of attributes as one cell of a table, read and written by the capability's schema.

integer `250`; yes or no `yes`, `no`; choices `cnc;manual`; range `-40..85`; anything else as text.
"""

from __future__ import annotations

from typing import Final

from services.files import amounts, taxonomy
from services.files.cells import split
from services.files.wording import WrongCell, folded, mark
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue, Codes, Range

EMPTY: Final = mark("it is empty")
_YES: Final = {"yes": True, "true": True, "1": True, "是": True}
_NO: Final = {"no": False, "false": False, "0": False, "否": False}


def read(text: str, schema: AttributeSchema, language: str = "en") -> AttributeValue:
    """The value that a cell stands for; choices may be named in either language.

    Raises:
        WrongCell: it does not fit the type; whether it fits the rule is for the registry to say.
    """
    text = text.strip()
    if schema.type == AttributeSchema.TYPE_INTEGER:
        return AttributeValue(integer=_bounded(text, schema))
    if schema.type in (AttributeSchema.TYPE_CHOICE, AttributeSchema.TYPE_CHOICES):
        codes = [_code(part, schema, language) for part in split(text)]
        return AttributeValue(codes=Codes(codes=codes))
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        known = (_YES | _NO).get(text.lower())
        if known is None:
            raise WrongCell(
                mark("%(text)s is neither yes nor no"), mark("Write yes or no"), text=text
            )
        return AttributeValue(boolean=known)
    if schema.type == AttributeSchema.TYPE_RANGE:
        return AttributeValue(range=_range(text, schema))
    return AttributeValue(text=text)


def write(value: AttributeValue, schema: AttributeSchema | None = None, language: str = "") -> str:
    """The cell of a value; `read` gives the same value back.

    With a language choices are written as that language calls them, else by their codes.
    """
    kind = value.WhichOneof("value")
    if kind == "integer":
        return str(value.integer)
    if kind == "codes":
        names = choice_names(schema, language) if schema is not None and language else {}
        return ";".join(names.get(code, code) for code in value.codes.codes)
    if kind == "boolean":
        words = ("是", "否") if language == "zh" else ("yes", "no")
        return words[0] if value.boolean else words[1]
    if kind == "range":
        return f"{value.range.lowest}..{value.range.highest}"
    return value.text


def choice_names(schema: AttributeSchema, language: str) -> dict[str, str]:
    """What each code of a choice is called; a name that two share, or that holds a separator,
    is left out."""
    names = {x.code: taxonomy.said(x.display_name, language) or x.code for x in schema.choices}
    said = list(names.values())
    return {
        code: name
        for code, name in names.items()
        if said.count(name) == 1 and split(name) == [name]
    }


def missing(schema: AttributeSchema, language: str) -> WrongCell:
    """What is said where an attribute that is needed is not given."""
    if schema.choices:
        names = [taxonomy.said(c.display_name, language) or c.code for c in schema.choices]
        return WrongCell(EMPTY, mark("Write one of: %(known)s"), known=", ".join(names))
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        return WrongCell(EMPTY, mark("Write yes or no"))
    if schema.type == AttributeSchema.TYPE_INTEGER:
        mend = mark("Write a number from %(least)s to %(most)s")
        return WrongCell(EMPTY, mend, least=schema.minimum, most=schema.maximum)
    return WrongCell(EMPTY, mark("Fill it in"))


def example(schema: AttributeSchema) -> str:
    """A cell that fits the schema, for templates."""
    if schema.type == AttributeSchema.TYPE_INTEGER:
        return str(schema.minimum)
    if schema.type == AttributeSchema.TYPE_CHOICE:
        return schema.choices[0].code
    if schema.type == AttributeSchema.TYPE_CHOICES:
        return ";".join(choice.code for choice in schema.choices[:2])
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        return "yes"
    if schema.type == AttributeSchema.TYPE_RANGE:
        return f"{schema.minimum}..{schema.maximum}"
    return "text"


def _code(text: str, schema: AttributeSchema, language: str) -> str:
    wanted = folded(text)
    for choice in schema.choices:
        name = choice.display_name
        if wanted in (folded(choice.code), folded(name.en), folded(name.zh)):
            return choice.code
    names = [taxonomy.said(c.display_name, language) or c.code for c in schema.choices]
    raise WrongCell(
        mark("%(text)s is none of the choices"),
        mark("Write one of: %(known)s"),
        text=text,
        known=", ".join(names),
    )


def _range(text: str, schema: AttributeSchema) -> Range:
    lowest, dots, highest = text.partition("..")
    if not dots:
        raise WrongCell(
            mark("%(text)s is no range"),
            mark("Write lowest..highest, such as -40..85"),
            text=text,
        )
    return Range(lowest=_bounded(lowest, schema), highest=_bounded(highest, schema))


def _bounded(text: str, schema: AttributeSchema) -> int:
    number = _integer(text)
    least = schema.minimum if schema.HasField("minimum") else number
    most = schema.maximum if schema.HasField("maximum") else number
    if not least <= number <= most:
        raise WrongCell(
            mark("%(text)s is out of range"),
            mark("Write a number from %(least)s to %(most)s"),
            text=text.strip(),
            least=least,
            most=most,
        )
    return number


def _integer(text: str) -> int:
    text = text.strip()
    negative = text[:1] in "-−" and len(text) > 1
    try:
        number = amounts.count(text[1:] if negative else text)
    except WrongCell:
        raise WrongCell(
            mark("%(text)s is no whole number"), mark("Write a whole number"), text=text
        ) from None
    return -number if negative else number
