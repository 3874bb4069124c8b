"""One format for all lines, and nothing private in them."""

import json
import logging
from typing import Any

import pytest

from services.chassis import logs


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_our_lines_and_a_librarys_lines_look_alike(
    capturing_logs: pytest.CaptureFixture[str],
) -> None:
    early = logs.get_logger("ours")  # as modules do at import
    logs.configure("INFO", "json")
    bound = logs.request_id.set("request-7")
    try:
        early.info("hello", number=7)
        logging.getLogger("theirs").warning("there %s", "too")
        logs.get_logger("ours").debug("not at this level")
    finally:
        logs.request_id.reset(bound)
    ours, theirs = lines(capturing_logs)
    assert (ours["event"], ours["number"], ours["logger"]) == ("hello", 7, "ours")
    assert (theirs["event"], theirs["logger"]) == ("there too", "theirs")
    assert (ours["level"], theirs["level"]) == ("info", "warning")
    assert ours["request_id"] == theirs["request_id"] == "request-7"


def test_private_values_are_struck_out(capturing_logs: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    logs.get_logger("ours").info("signed in", password="hunter2", token="abc")
    [line] = lines(capturing_logs)
    assert (line["password"], line["token"]) == ("(private)", "(private)")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(
    capturing_logs: pytest.CaptureFixture[str], form: Any
) -> None:
    logs.configure("INFO", form)

    def fail(value: str) -> None:
        raise RuntimeError("failed")

    try:
        fail("hunter" + "2")
    except RuntimeError as error:
        logs.get_logger("ours").error("it failed", exc_info=error)
    said = capturing_logs.readouterr().out
    assert "Traceback" in said
    assert "hunter2" not in said
