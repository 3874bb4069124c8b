"""What stands in the work queue: read as it was written, and refused when it is something else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from services.matching.work.ticket import Ticket, read_word, word
from services.matching.work.version import durable, engine_version

TICKET = Ticket("r1-0a", 3, "r1-0a/ab12", "r1-0a/ab12-answer", "0123456789abcdef", 12.5, 1e9)


def test_a_ticket_is_read_as_it_was_written() -> None:
    traced = replace(TICKET, trace={"traceparent": "00-1-2-01"})
    assert Ticket.from_bytes(traced.to_bytes()) == traced


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"unit": "../elsewhere"}, "unit is"),
        ({"run": "a.b"}, "run is"),
        ({"version": 7}, "version is"),
        ({"seconds": -1}, "seconds is"),
        ({"deadline": float("inf")}, "deadline is"),
        ({"index": True}, "index is"),
        ({"trace": []}, "trace"),
        ({"more": 1}, "other fields"),
    ],
)
def test_what_is_no_ticket_is_refused_by_field(changed: dict[str, object], why: str) -> None:
    plain = json.loads(TICKET.to_bytes()) | changed
    with pytest.raises(ValueError, match=why):
        Ticket.from_bytes(json.dumps(plain).encode())


def test_bytes_that_are_no_ticket_are_refused() -> None:
    for data in (b"", b"[]", b"nonsense", b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011 - each says it in its own way
            Ticket.from_bytes(data)


def test_words_hold_whole_numbers_by_name() -> None:
    assert read_word(word(index=2, value=-5, bound=None), "index", "value", "bound") == (
        2,
        -5,
        None,
    )
    assert read_word(word(index=2, ok=True), "index", "ok") == (2, True)
    for said in (b"[1]", word(index=1), b'{"index":1,"ok":"yes"}', b"no"):
        with pytest.raises(ValueError):  # noqa: PT011
            read_word(said, "index", "ok")


def test_a_version_fits_into_a_subject_and_names_its_durable() -> None:
    assert engine_version().isalnum()
    assert durable().endswith(engine_version())
