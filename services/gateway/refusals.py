"""What services refuse, in the reader's language: each cause has its sentence in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from services.chassis import causes
from services.chassis.causes import Said
from services.chassis.errors import DomainError
from services.files.wording import mark
from services.gateway import formats
from services.gateway.languages import translations
from spareline.errors.v1.cause_pb2 import LocalizableMessage
from spareline.market.v1.capability_pb2 import Unit
from spareline.market.v1.webhook_pb2 import WebhookDelivery
from spareline.matching.v1.round_pb2 import Round

_BOTH = mark("%(what)s. %(mend)s")
_TICKS = mark("%(count)s ticks")
_COMMA = mark(", ")
_ROLES = {
    "owner": mark("owner"),
    "trader": mark("trader"),
    "viewer": mark("viewer"),
    "operator": mark("operator"),
}
_SHORT = 4  # digits that need no separator


def parts(said: Said, language: str) -> tuple[str, str]:
    """Return what is wrong and what to change; in English where the cause is not known here."""
    words = causes.wording(said.cause)
    named = causes.places(words.what) | causes.places(words.mend)
    if not words.what or not named <= said.parameters.keys():
        return said.what, said.mend
    translated = translations(language).gettext
    what, mend = (translated(text) if text else "" for text in (words.what, words.mend))
    shown = {
        name: _quantity(value, said.parameters, language)
        if name in words.quantities
        else _plain(name, value, language)
        for name, value in said.parameters.items()
    }
    return what % shown, mend % shown


def _quantity(ticks: str, parameters: Mapping[str, str], language: str) -> str:
    """Write a quantity in the unit that the cause names, else in ticks."""
    if not ticks.isdecimal() or "tick" not in parameters:
        return translations(language).gettext(_TICKS) % {"count": ticks}
    unit = Unit(resolution=parameters["tick"], plural_en=parameters.get("units_en", ""))
    unit.display_name.en = parameters.get("unit_en", "")
    unit.display_name.zh = parameters.get("unit_zh", "")
    return formats.quantity(int(ticks), unit, language)


def _plain(name: str, value: str, language: str) -> str:
    """Write a week, a long number or a role as its reader does; all else as it is."""
    translated = translations(language).gettext
    if name == "roles":
        return translated(_COMMA).join(
            translated(_ROLES.get(role, role)) for role in value.split(", ")
        )
    if value.isdecimal() and len(value) > _SHORT:
        return formats.number(int(value), language)
    return formats.week_or_text(value, language)


def sentence(said: Said, language: str) -> str:
    """Return both as one text."""
    what, mend = parts(said, language)
    if not mend:
        return what
    return translations(language).gettext(_BOTH) % {
        "what": what.rstrip(".。"),
        "mend": mend,
    }


def sentences(error: DomainError, language: str) -> list[str]:
    """Return all that a refusal says: each field that is wrong, else its message."""
    each = [violation.said for violation in error.violations] or [error.said]
    return [sentence(said, language) for said in each]


def told(words: LocalizableMessage, what: str, mend: str, language: str) -> str:
    """Return what a service tells as a part of its answer."""
    return sentence(causes.from_message(words, what, mend), language)


def why_failed(round_: Round, language: str) -> str:
    """Return why a round failed; empty for one that did not."""
    return told(round_.failure_words, round_.failure, "", language)


def why_undelivered(delivery: WebhookDelivery, language: str) -> str:
    """Return what went wrong at the last attempt of a delivery; empty if nothing did."""
    return told(delivery.last_error_words, delivery.last_error, "", language)
