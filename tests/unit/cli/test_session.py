"""The session file is its owner's alone, holds one session per registry, and survives damage."""

import os
import stat
from pathlib import Path

import pytest

from cli.session import Session, locked, read_session, session_file, write_session

SESSION = Session("a@b.example", "refresh", "access", 123)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_and_its_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "spareline" / "session.json"
    before = os.umask(0)
    try:
        with locked(file):
            write_session(file, "127.0.0.1:1", SESSION)
    finally:
        os.umask(before)
    assert mode(file) == 0o600
    assert mode(file.parent) == 0o700
    assert [mode(each) for each in file.parent.iterdir()] == [0o600, 0o600]


def test_sessions_of_registries_do_not_touch_each_other(tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    other = Session("c@d.example", "r2", "a2", 456)
    write_session(file, "one:1", SESSION)
    write_session(file, "two:2", other)
    assert read_session(file, "one:1") == SESSION
    write_session(file, "one:1", None)
    assert read_session(file, "one:1") is None
    assert read_session(file, "two:2") == other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"one:1": {"email": "x"}}'])
def test_a_damaged_file_counts_as_no_session(tmp_path: Path, content: str) -> None:
    file = tmp_path / "session.json"
    file.write_text(content)
    assert read_session(file, "one:1") is None
    write_session(file, "one:1", SESSION)
    assert read_session(file, "one:1") == SESSION


def test_the_file_follows_the_configuration_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert session_file() == tmp_path / "spareline" / "session.json"
