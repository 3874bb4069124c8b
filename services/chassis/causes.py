"""What refusals say: one sentence for each cause, worded in the contract (``cause.proto``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from spareline.errors.v1 import cause_pb2
from spareline.options.v1 import options_pb2

_PREFIX = "CAUSE_"
_PLACE = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Said:
    """What is wrong and what to change, in English; and for programs the cause and what it names.

    A cause of 0 says that there are words alone.
    """

    what: str
    mend: str = ""
    cause: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return sentence(self.what, self.mend)


def sentence(what: str, mend: str) -> str:
    """Return both as one line for a reader."""
    parts = [part.strip().rstrip(".") for part in (what, mend)]
    return ". ".join(part for part in parts if part)


def said(cause: cause_pb2.Cause.ValueType, **parameters: object) -> Said:
    """Return the words of a cause. Parameters beyond those that it names are for programs.

    Raises KeyError when one is missing that its sentence names.
    """
    return of(cause, {name: str(value) for name, value in parameters.items()})


def of(cause: int, parameters: Mapping[str, str]) -> Said:
    """As ``said``, with parameters that are texts already."""
    words = wording(cause)
    ticks = {name: f"{parameters[name]} ticks" for name in words.quantities}
    shown = {**parameters, **ticks}
    return Said(words.what % shown, words.mend % shown, cause, parameters)


@cache
def wording(cause: int) -> options_pb2.Wording:
    """Return a cause's sentence with places for its parameters; empty for one not known here."""
    value = cause_pb2.Cause.DESCRIPTOR.values_by_number.get(cause)
    if value is None:
        return options_pb2.Wording()
    return value.GetOptions().Extensions[options_pb2.wording]


@cache
def by_rule() -> Mapping[str, tuple[int, Mapping[str, str]]]:
    """Return the cause of each field rule that can be broken, with what it says beside bounds."""
    return {
        rule.id: (value.number, dict(rule.parameters))
        for value in cause_pb2.Cause.DESCRIPTOR.values
        for rule in wording(value.number).rules
    }


def places(text: str) -> set[str]:
    """Return the parameters that a wording names."""
    return set(_PLACE.findall(text))


def name(cause: int) -> str:
    """Return a cause as google.rpc.BadRequest.FieldViolation.reason; empty for none."""
    value = cause_pb2.Cause.DESCRIPTOR.values_by_number.get(cause)
    return "" if value is None or not cause else value.name.removeprefix(_PREFIX)


def message(words: Said) -> cause_pb2.LocalizableMessage:
    """Return the cause as it goes over the wire."""
    return cause_pb2.LocalizableMessage(
        cause=words.cause,  # type: ignore[arg-type]  # an open enum: newer services may say more
        parameters=words.parameters,
    )


def from_message(told: cause_pb2.LocalizableMessage, what: str, mend: str = "") -> Said:
    """Return what was said, from its cause and its English words."""
    return Said(what, mend, told.cause, dict(told.parameters))
