"""Every string of the pages stands in both languages."""

from __future__ import annotations

import re

from services.gateway.catalogue import extract, stored

_PLACE = re.compile(r"%\((\w+)\)")


def test_every_message_is_translated() -> None:
    translated = {message.id: message.string for message in stored() if message.id}
    missing = []
    for message in extract():
        if message.id:
            found = translated.get(message.id)
            texts = found if isinstance(found, tuple) else (found,)
            if not all(texts):
                missing.append(message.id)
    assert missing == []


def test_no_translation_is_left_over() -> None:
    used = {message.id for message in extract() if message.id}
    assert [message.id for message in stored() if message.id and message.id not in used] == []


def test_translations_keep_the_values_of_the_message() -> None:
    for message in stored():
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        wanted = set(_PLACE.findall(str(ids[-1])))
        assert all(set(_PLACE.findall(str(text))) == wanted for text in texts), message.id
