"""Ports that nobody holds, so that several stacks run side by side."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from deploy.local.settings import LOOPBACK, StackSettings

_PORTS = (
    "gateway_port",
    "registry_port",
    "matching_port",
    "nats_port",
    "store_port",
    "registry_metrics_port",
    "matching_metrics_port",
    "gateway_metrics_port",
    "worker_metrics_port",
)


def free_ports(count: int) -> list[int]:
    """`count` different ports on the loopback address that are free now."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def settings_on_free_ports(var: Path) -> StackSettings:
    """Settings of the environment, but each port is one that is free now."""
    chosen = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    return StackSettings(var=var).model_copy(update=chosen)
