"""The words of files for a reader of the pages: both languages are understood, one is spoken."""

from __future__ import annotations

from functools import cache

from services.files import headers
from services.files.wording import Wording, folded
from services.gateway.forms import regions
from services.gateway.languages import LANGUAGES, locale, translations


def wording(language: str, organization: str) -> Wording:
    """Return how a person of an organization is spoken to and understood."""
    return headers.wording(
        [translations(each).gettext for each in LANGUAGES],
        translations(language).gettext,
        language,
        organization,
        _regions(),
    )


@cache
def _regions() -> dict[str, str]:
    """Codes of regions and countries by their names in every language."""
    found = {
        folded(regions.name(code, language)): code
        for code in regions.regions()
        for language in LANGUAGES
    }
    for language in LANGUAGES:
        countries = {code.split("-")[0] for code in regions.regions()}
        found |= {folded(locale(language).territories[x]): x for x in countries}
    return found
