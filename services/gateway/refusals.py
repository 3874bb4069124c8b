"""What services refuse, in the reader's language: each cause has its sentence in the catalogue."""

from __future__ import annotations

from services.chassis import causes
from services.chassis.causes import Said
from services.chassis.errors import DomainError
from services.files.wording import mark
from services.gateway.languages import translations
from spareline.errors.v1.cause_pb2 import LocalizableMessage

_BOTH = mark("%(what)s. %(mend)s")


def parts(said: Said, language: str) -> tuple[str, str]:
    """Return what is wrong and what to change; in English where the cause is not known here."""
    words = causes.wording(said.cause)
    named = causes.places(words.what) | causes.places(words.mend)
    if not words.what or not named <= said.parameters.keys():
        return said.what, said.mend
    translated = translations(language).gettext
    what, mend = (translated(text) if text else "" for text in (words.what, words.mend))
    return what % said.parameters, mend % said.parameters


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
