"""Finding out before the start that a port is taken, and by whom."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import psutil

from deploy.local.problems import PortTaken, StackError
from deploy.local.programs import Endpoint
from deploy.local.settings import variable


def check(endpoints: Iterable[Endpoint]) -> None:
    """Make sure that every port can be listened on, and that no two are the same.

    Raises:
        PortTaken: with a line for each port that can't, saying who holds it if that can be known
            and which setting to change.
    """
    complaints = []
    seen: dict[int, Endpoint] = {}
    for endpoint in endpoints:
        twin = seen.setdefault(endpoint.port, endpoint)
        if twin is not endpoint:
            complaints.append(
                f"{variable(twin.setting)} and {variable(endpoint.setting)} "
                f"are both {endpoint.port}: change one of them."
            )
        elif _taken(endpoint.host, endpoint.port):
            complaints.append(_complaint(endpoint))
    if complaints:
        raise PortTaken("\n".join(complaints))


def _taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do it: connections that just closed do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise StackError(f"Port {port} on {host} can't be used: {error.strerror}.") from error
    return False


def _complaint(endpoint: Endpoint) -> str:
    holder = _holder(endpoint.port)
    by = f" by {holder}" if holder else ""
    name = variable(endpoint.setting)
    mend = f"End that program, or choose another port: {name}={endpoint.port + 1000}"
    if endpoint.setting != "gateway_port":
        mend += " (SPARELINE_PORT_BASE moves all inner ports at once)"
    return f"Port {endpoint.port}, which {endpoint.program} needs, is taken{by}. {mend}."


def _holder(port: int) -> str:
    """ "name (pid 12)" of who listens on a port, or nothing when the system does not say."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                pid = connection.pid
                return f"{psutil.Process(pid).name()} (pid {pid})" if pid else ""
    except (psutil.Error, OSError):
        pass  # on some systems only root may look
    return ""
