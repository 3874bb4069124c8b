"""Bring the Chinese catalogue up to date with the pages: `python -m services.gateway.catalogue`."""

from __future__ import annotations

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from services.chassis import causes
from spareline.errors.v1 import cause_pb2

PACKAGE = Path(__file__).parent
CHINESE = PACKAGE / "web" / "translations" / "zh" / "LC_MESSAGES" / "messages.po"

FILES = PACKAGE.parent / "files"
"""The room that reads and writes files; what it says is told by the pages too."""

_METHODS = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
# Functions of ours take the request first, so the message is their second argument or later.
_KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": (2,),
    "notify": (2,),
    "send_answer": (4,),
    "_unless_last_owner": (3,),
    "ngettext": (1, 2),
    "mark": None,
}


def extract() -> Catalog:
    """Return every message of the pages, and the words of every cause, untranslated."""
    catalogue = Catalog(project="Spareline", charset="utf-8")
    options = {"**.html": {"trimmed": "true", "silent": "false"}}
    for folder in (PACKAGE, FILES):
        for name, _line, message, comments, context in extract_from_dir(
            folder, _METHODS, options, _KEYWORDS
        ):
            catalogue.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    for value in cause_pb2.Cause.DESCRIPTOR.values:
        words = causes.wording(value.number)
        for text in filter(None, (words.what, words.mend)):
            catalogue.add(text, locations=[("cause.proto", 0)])
    return catalogue


def stored() -> Catalog:
    """Return the Chinese catalogue as it is stored."""
    with CHINESE.open("rb") as file:
        return read_po(file, locale="zh")


def main() -> None:
    """Add new messages to the stored catalogue and drop those that no page uses any more."""
    catalogue = stored() if CHINESE.exists() else Catalog(locale="zh", project="Spareline")
    catalogue.update(extract(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    text = io.BytesIO()
    write_po(text, catalogue, sort_output=True, omit_header=False, no_location=True, width=100)
    CHINESE.parent.mkdir(parents=True, exist_ok=True)
    CHINESE.write_bytes(text.getvalue())
    missing = [message.id for message in catalogue if message.id and not message.string]
    print(f"{len(catalogue)} messages, {len(missing)} to translate")


if __name__ == "__main__":
    main()
