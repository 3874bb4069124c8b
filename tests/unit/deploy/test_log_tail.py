"""A program that does not start is explained by the end of its log."""

import json
from pathlib import Path

from deploy.local.log_tail import log_tail


def test_a_structured_line_is_spelled_out_with_its_trace(tmp_path: Path) -> None:
    log = tmp_path / "registry.log"
    entry = {
        "timestamp": "2026-11-22T07:38:11.110496Z",
        "level": "error",
        "event": "could not start",
        "logger": "registry",
        "port": 7101,
        "exception": "Traceback:\n  ValueError: no",
    }
    log.write_text(f"plain words\n{json.dumps(entry)}\n")
    assert log_tail(log).splitlines() == [
        f"Its log is {log}, the end of it:",
        "plain words",
        "2026-11-22T07:38:11 error could not start port=7101",
        "  Traceback:",
        "    ValueError: no",
    ]


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "nats.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    shown = log_tail(log).splitlines()
    assert len(shown) == 13
    assert shown[-1] == "line 99999"


def test_no_log_yet_is_no_fault(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none.log") == f"Its log is {tmp_path / 'none.log'}."
