"""When an offered attribute value satisfies an asked one, and whether values fit their attribute.

The rules, exactly. *Offered* and *asked* are values of the same attribute.

========  ================  =====================================================================
rule      types             holds when
========  ================  =====================================================================
at_least  integer           both are whole numbers and offered ≥ asked
at_most   integer           both are whole numbers and offered ≤ asked
within    range             asked lies within offered, ends included; either may be a whole number
                            n, read as the range (n, n), or a range (low, high)
one_of    choice, choices   at least one offered choice is among the asked choices
all_of    choice, choices   every asked choice is among the offered choices
equals    all but range     the same whole number, the same yes or no, the same set of choices, or
                            the same text after trimming and folding of case
========  ================  =====================================================================

A single choice may be written "abs" or ["abs"]. What is asked but not offered (offered is None)
never holds: an offer has to say what it can do. What is not asked is not compared. A value of the
wrong shape never holds; `problems` finds it before it is stored. True and False are not numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard

from rapidfuzz import fuzz, process

from services.chassis.causes import Said, said
from services.registry.domain.taxonomy_model import Attribute, AttributeType, Rule, Value
from spareline.errors.v1 import cause_pb2

Role = Literal["offer", "demand"]

TEXT_LIMIT = 300
_NO_UNIT = ("", "1")
_NUMERIC = {
    AttributeType.INTEGER: (cause_pb2.CAUSE_WANTS_NUMBER, cause_pb2.CAUSE_WANTS_PLAIN_NUMBER),
    AttributeType.RANGE: (cause_pb2.CAUSE_WANTS_RANGE, cause_pb2.CAUSE_WANTS_PLAIN_RANGE),
}
"""Longest text value, in characters."""

RULES_BY_TYPE: Mapping[AttributeType, frozenset[Rule]] = {
    AttributeType.INTEGER: frozenset({Rule.AT_LEAST, Rule.AT_MOST, Rule.EQUALS}),
    AttributeType.RANGE: frozenset({Rule.WITHIN}),
    AttributeType.CHOICE: frozenset({Rule.ONE_OF, Rule.ALL_OF, Rule.EQUALS}),
    AttributeType.CHOICES: frozenset({Rule.ONE_OF, Rule.ALL_OF, Rule.EQUALS}),
    AttributeType.BOOLEAN: frozenset({Rule.EQUALS}),
    AttributeType.TEXT: frozenset({Rule.EQUALS}),
}
"""Which rules make sense for which type of value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a field, and what to change."""

    field: str
    said: Said


def satisfies(attribute: Attribute, offered: Value | None, asked: Value) -> bool:
    """Say whether `offered` satisfies `asked` by the attribute's rule (see the module)."""
    if offered is None:
        return False
    if attribute.type is AttributeType.RANGE:
        return _within(offered, asked)
    if attribute.type is AttributeType.INTEGER:
        return _integers(attribute.rule, offered, asked)
    if attribute.type in (AttributeType.CHOICE, AttributeType.CHOICES):
        return _choices(attribute.rule, offered, asked)
    if attribute.type is AttributeType.BOOLEAN:
        return isinstance(offered, bool) and isinstance(asked, bool) and offered is asked
    return isinstance(offered, str) and isinstance(asked, str) and _fold(offered) == _fold(asked)


def _within(offered: Value, asked: Value) -> bool:
    have, want = _as_range(offered), _as_range(asked)
    if have is None or want is None:
        return False
    return have[0] <= want[0] and want[1] <= have[1]


def _integers(rule: Rule, offered: Value, asked: Value) -> bool:
    if not _is_whole(offered) or not _is_whole(asked):
        return False
    if rule is Rule.AT_LEAST:
        return offered >= asked
    if rule is Rule.AT_MOST:
        return offered <= asked
    return offered == asked


def _choices(rule: Rule, offered: Value, asked: Value) -> bool:
    have, want = _as_choices(offered), _as_choices(asked)
    if have is None or want is None:
        return False
    if rule is Rule.ONE_OF:
        return not have.isdisjoint(want)
    if rule is Rule.ALL_OF:
        return want <= have
    return have == want


def _is_whole(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _as_range(value: Value) -> tuple[int, int] | None:
    """Read a number as the range that holds only it; None for an upside-down or other value."""
    if _is_whole(value):
        return value, value
    if isinstance(value, tuple) and len(value) == 2 and all(_is_whole(end) for end in value):
        return value if value[0] <= value[1] else None
    return None


def _as_choices(value: Value) -> frozenset[str] | None:
    if isinstance(value, str):
        return frozenset((value,))
    if isinstance(value, list) and all(isinstance(choice, str) for choice in value):
        return frozenset(value)
    return None


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()


def problems(
    attributes: Mapping[str, Attribute], values: Mapping[str, Value], role: Role
) -> list[Problem]:
    """Check given values against the attributes of a capability.

    An offer must state what is `required_in_offer`; a demand may ask for as little as it likes.
    """
    found: list[Problem] = []
    for key, value in values.items():
        attribute = attributes.get(key)
        found += _unknown(key, attributes) if attribute is None else _misfit(attribute, value, role)
    if role == "offer":
        found += [
            Problem(
                f"attributes.{attribute.key}",
                said(cause_pb2.CAUSE_ATTRIBUTE_MISSING),
            )
            for attribute in attributes.values()
            if attribute.required_in_offer and attribute.key not in values
        ]
    return found


def _unknown(key: str, attributes: Mapping[str, Attribute]) -> list[Problem]:
    known = ", ".join(attributes)
    nearest = process.extractOne(key, list(attributes), scorer=fuzz.WRatio)
    if nearest is None:
        words = said(cause_pb2.CAUSE_NO_ATTRIBUTES)
    elif nearest[1] >= 60:
        words = said(cause_pb2.CAUSE_ATTRIBUTE_MISSPELT, near=nearest[0], known=known)
    else:
        words = said(cause_pb2.CAUSE_ATTRIBUTE_UNKNOWN, known=known)
    return [Problem(f"attributes.{key}", words)]


def _misfit(attribute: Attribute, value: Value, role: Role) -> list[Problem]:
    """Check one value's shape and limits."""
    if attribute.type is AttributeType.BOOLEAN:
        return [] if isinstance(value, bool) else _wrong_type(attribute, role)
    if attribute.type is AttributeType.TEXT:
        if not isinstance(value, str):
            return _wrong_type(attribute, role)
        return [] if value.strip() and len(value) <= TEXT_LIMIT else _wrong_type(attribute, role)
    if attribute.type in (AttributeType.INTEGER, AttributeType.RANGE):
        return _integer_misfit(attribute, value, role)
    return _choice_misfit(attribute, value, role)


def _wrong_type(attribute: Attribute, role: Role) -> list[Problem]:
    # Worded only when it is told: an import checks hundreds of thousands of values.
    return [Problem(f"attributes.{attribute.key}", _wanted(attribute, role))]


def _integer_misfit(attribute: Attribute, value: Value, role: Role) -> list[Problem]:
    field = f"attributes.{attribute.key}"
    if isinstance(value, tuple) and attribute.type is AttributeType.INTEGER:
        return _wrong_type(attribute, role)
    ends = _as_range(value)
    if ends is None:
        if isinstance(value, tuple):
            return [Problem(field, said(cause_pb2.CAUSE_RANGE_REVERSED))]
        return _wrong_type(attribute, role)
    if ends[0] < attribute.minimum or ends[1] > attribute.maximum:
        return _wrong_type(attribute, role)
    return []


def _choice_misfit(attribute: Attribute, value: Value, role: Role) -> list[Problem]:
    field = f"attributes.{attribute.key}"
    chosen = _as_choices(value)
    if not chosen or (len(chosen) > 1 and not _takes_many(attribute, role)):
        return _wrong_type(attribute, role)
    unknown = sorted(chosen - set(attribute.choices))
    known = ", ".join(attribute.choices)
    return [
        Problem(field, said(cause_pb2.CAUSE_NOT_A_CHOICE, choice=choice, choices=known))
        for choice in unknown
    ]


def _takes_many(attribute: Attribute, role: Role) -> bool:
    """Say whether several may be given: one machine is of one kind; a buyer may accept several."""
    return attribute.type is AttributeType.CHOICES or (
        role == "demand" and attribute.rule is Rule.ONE_OF
    )


def _wanted(attribute: Attribute, role: Role) -> Said:
    """Say which value the attribute takes."""
    if attribute.type is AttributeType.BOOLEAN:
        return said(cause_pb2.CAUSE_WANTS_YES_OR_NO)
    if attribute.type is AttributeType.TEXT:
        return said(cause_pb2.CAUSE_WANTS_TEXT, most=TEXT_LIMIT)
    if attribute.type in (AttributeType.INTEGER, AttributeType.RANGE):
        bounds = {"least": attribute.minimum, "most": attribute.maximum}
        with_unit, plain = _NUMERIC[attribute.type]
        if attribute.unit in _NO_UNIT:
            return said(plain, **bounds)
        return said(with_unit, **bounds, unit=attribute.unit)
    many = _takes_many(attribute, role)
    cause = cause_pb2.CAUSE_WANTS_SOME_OF if many else cause_pb2.CAUSE_WANTS_ONE_OF
    return said(cause, choices=", ".join(attribute.choices))
