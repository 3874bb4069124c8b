"""Running programs under supervisord, which restarts what dies, and talking to it."""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import sys
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from deploy.local.layout import Layout, write_private
from deploy.local.orphans import PROGRAM_VARIABLE, STACK_VARIABLE
from deploy.local.program import Program

_LOG_BYTES: Final = 10_000_000
# supervisord waits one second more before each retry; after these it gives a program up.
_RETRIES: Final = 20


# What a call raises when supervisord does not run, or ends while it answers.
AWAY: Final = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class ProgramState:
    """What supervisord knows of one program. `pid` is 0 while it does not run."""

    name: str
    state: str
    pid: int
    detail: str


def write_config(layout: Layout, programs: Sequence[Program]) -> Path:
    """Write supervisord's configuration and one description per program; returns the former.

    The control socket is the owner's alone. Programs end in the reverse of their order here.
    """
    for program in programs:
        write_program(layout, program)
    sections = [_daemon_section(layout)]
    sections += [_program_section(layout, program, i) for i, program in enumerate(programs)]
    file = layout.run / "supervisord.conf"
    write_private(file, "\n".join(sections).encode())
    return file


def write_program(layout: Layout, program: Program) -> None:
    """Write a program's description for `child.py`, with the marks by which it is found again."""
    marks = {STACK_VARIABLE: layout.stack_id(), PROGRAM_VARIABLE: program.name}
    description = program.to_json()
    description["environment"] = {**program.environment, **marks}
    # Private, because it holds secrets.
    content = json.dumps(description, indent=1).encode()
    write_private(layout.run / f"{program.name}.json", content)


def command(config: Path) -> tuple[str, ...]:
    """The command line of supervisord in the foreground."""
    return (sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(config))


def _daemon_section(layout: Layout) -> str:
    return f"""\
[supervisord]
logfile={_value(layout.log("supervisord"))}
logfile_maxbytes={_LOG_BYTES}
logfile_backups=1
loglevel=info
pidfile={_value(layout.run / "supervisord.pid")}
directory={_value(layout.run)}
nocleanup=true

[unix_http_server]
file={_value(layout.socket())}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def _program_section(layout: Layout, program: Program, position: int) -> str:
    start = shlex.join((sys.executable, "-m", "deploy.local.child", program.name))
    return f"""\
[program:{program.name}]
command={_value(start)}
directory={_value(layout.run)}
priority={10 * (position + 1)}
autostart=false
autorestart=true
startsecs=1
startretries={_RETRIES}
stopsignal=TERM
stopwaitsecs={max(1, round(program.stop_seconds))}
killasgroup=true
redirect_stderr=true
stdout_logfile={_value(layout.log(program.name))}
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups=3
"""


def _value(text: object) -> str:
    """Supervisord expands `%(name)s` in values; a bare percent sign is doubled."""
    return str(text).replace("%", "%%")


class Supervisor:
    """A client of supervisord's XML-RPC over its Unix socket. Calls block for milliseconds."""

    def __init__(self, control: Path) -> None:
        transport = _UnixTransport(control)
        # The host is never looked up; the transport goes to the socket.
        self._rpc = xmlrpc.client.ServerProxy("http://supervisor", transport=transport)

    def start(self, program: str) -> None:
        """Start a program and return at once, whether or not it will stay up."""
        self._rpc.supervisor.startProcess(program, False)

    def answers(self) -> bool:
        """Whether supervisord listens yet."""
        try:
            self._rpc.supervisor.getState()
        except AWAY:
            return False
        return True

    def states(self) -> dict[str, ProgramState]:
        """All programs by name.

        Raises:
            OSError: supervisord does not answer.
        """
        infos = cast(list[dict[str, Any]], self._rpc.supervisor.getAllProcessInfo())
        return {
            str(info["name"]): ProgramState(
                str(info["name"]), str(info["statename"]), int(info["pid"]), str(info["spawnerr"])
            )
            for info in infos
        }


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, control: Path) -> None:
        super().__init__()
        self._control = control

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # A fresh connection for each call: supervisord may have been restarted in between.
        del host
        return _UnixConnection(self._control)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, control: Path) -> None:
        super().__init__("localhost", timeout=5.0)
        self._control = control

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5.0)
        self.sock.connect(str(self._control))
