"""Values of attributes as one cell of a table, read and written by the capability's schema.

integer `250`; yes or no `yes`, `no`; choices `cnc;manual`; range `-40..85`; anything else as text.
"""

from __future__ import annotations

from typing import Final

from cli.amounts import WrongAmount
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue, Codes, Range

_YES: Final = {"yes": True, "true": True, "1": True, "是": True}
_NO: Final = {"no": False, "false": False, "0": False, "否": False}


def read(text: str, schema: AttributeSchema) -> AttributeValue:
    """The value that a cell stands for.

    Raises:
        WrongAmount: it does not fit the type; whether it fits the rule is for the registry to say.
    """
    text = text.strip()
    if schema.type == AttributeSchema.TYPE_INTEGER:
        return AttributeValue(integer=_integer(text))
    if schema.type in (AttributeSchema.TYPE_CHOICE, AttributeSchema.TYPE_CHOICES):
        codes = [part.strip() for part in text.split(";") if part.strip()]
        return AttributeValue(codes=Codes(codes=codes))
    if schema.type == AttributeSchema.TYPE_BOOLEAN:
        known = (_YES | _NO).get(text.lower())
        if known is None:
            raise WrongAmount(f"{text} is neither yes nor no", "Write yes or no")
        return AttributeValue(boolean=known)
    if schema.type == AttributeSchema.TYPE_RANGE:
        lowest, dots, highest = text.partition("..")
        if not dots:
            raise WrongAmount(f"{text} is no range", "Write lowest..highest, such as -40..85")
        return AttributeValue(range=Range(lowest=_integer(lowest), highest=_integer(highest)))
    return AttributeValue(text=text)


def write(value: AttributeValue) -> str:
    """The cell of a value; `read` gives the same value back."""
    kind = value.WhichOneof("value")
    if kind == "integer":
        return str(value.integer)
    if kind == "codes":
        return ";".join(value.codes.codes)
    if kind == "boolean":
        return "yes" if value.boolean else "no"
    if kind == "range":
        return f"{value.range.lowest}..{value.range.highest}"
    return value.text


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


def _integer(text: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise WrongAmount(f"{text} is no whole number", "Write a whole number") from None
