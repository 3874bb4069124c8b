"""The data directory: who may read it, and paths that the system would refuse."""

import configparser
import socket
import stat
from pathlib import Path

from deploy.local.credentials import credentials_in
from deploy.local.layout import Layout, layout_of
from deploy.local.program import Program
from deploy.local.supervision import write_config


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def prepared(root: Path) -> Layout:
    layout = layout_of(root)
    layout.prepare()
    return layout


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    layout = prepared(tmp_path / "var")
    first = credentials_in(layout.secrets)
    assert credentials_in(layout.secrets) == first
    assert len({first.matching_secret, first.session_key, first.operator_password}) == 3
    assert [mode(path) for path in (layout.root, layout.secrets, layout.run)] == [0o700] * 3
    assert {mode(file) for file in layout.secrets.iterdir()} == {0o600}


def test_an_empty_secret_left_by_a_full_disk_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "session-key").touch()
    assert len(credentials_in(tmp_path).session_key) == 64


def test_a_long_path_gets_a_socket_that_can_be_bound(tmp_path: Path) -> None:
    layout = prepared(tmp_path / ("long" * 30))
    control = layout.socket()
    assert control == layout.socket()
    assert mode(control.parent) == 0o700
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{control}.4194304")
    Path(f"{control}.4194304").unlink()
    control.parent.rmdir()


def test_a_short_path_keeps_the_socket_inside(tmp_path_factory: object) -> None:
    assert Layout(Path("/srv/market")).socket() == Path("/srv/market/run/supervisor.sock")


def test_a_percent_sign_in_the_path_is_no_expansion(tmp_path: Path) -> None:
    layout = prepared(tmp_path / "100%(here)s")
    program = Program("nats", ("/bin/true", "a b"), {"KEY": "50%"}, stop_seconds=3)
    config = write_config(layout, [program])
    parser = configparser.RawConfigParser()
    parser.read(config)
    assert parser["program:nats"]["directory"] == str(layout.run).replace("%", "%%")
    assert parser["program:nats"]["stopwaitsecs"] == "3"
    assert "inet_http_server" not in parser
    assert mode(layout.run / "nats.json") == 0o600
