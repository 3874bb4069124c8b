"""The two languages of the pages: English, which the code is written in, and Chinese."""

from __future__ import annotations

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from aiohttp import web
from babel import Locale
from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "language"
_LOCALES = {"en": Locale("en", "GB"), "zh": Locale("zh", "CN", script="Hans")}
_CATALOGUES = Path(__file__).parent / "web" / "translations"

LANGUAGE: web.RequestKey[str] = web.RequestKey("language", str)


@cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language; it is compiled in memory from its .po file."""
    if language == "en":
        return NullTranslations()
    compiled = io.BytesIO()
    with (_CATALOGUES / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def locale(language: str) -> Locale:
    """Return the locale by which dates, numbers and money are written."""
    return _LOCALES[language]


def choose(request: web.Request, preferred: str = "") -> str:
    """Return the language of a page: as switched, else the person's, else the browser's."""
    switched = request.cookies.get(COOKIE, "")
    if switched in LANGUAGES:
        return switched
    if preferred in LANGUAGES:
        return preferred
    wanted = [
        part.split(";")[0].strip().split("-")[0]
        for part in request.headers.get("Accept-Language", "").split(",")
        if part
    ]
    return negotiate_locale(wanted, list(LANGUAGES)) or "en"


def gettext(request: web.Request, message: str, **values: object) -> str:
    """Translate a message for the reader of this request; `%(name)s` takes the values."""
    text = translations(request[LANGUAGE]).gettext(message)
    return text % values if values else text
