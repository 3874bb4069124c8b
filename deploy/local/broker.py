"""The embedded NATS server: its configuration and how to see that it answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from deploy.local.executables import executable
from deploy.local.layout import write_private
from deploy.local.settings import LOOPBACK


def write_config(run: Path, data: Path, port: int) -> None:
    """Write `nats.conf`: loopback only, and no acknowledged message is ever lost.

    JetStream's default is to sync its files every two minutes, which loses what was acknowledged
    in between when the power fails; hence `sync_interval: always`.
    """
    text = f"""\
server_name: spareline
listen: {json.dumps(f"{LOOPBACK}:{port}")}
max_payload: 8MB
jetstream {{
  store_dir: {json.dumps(str(data))}
  sync_interval: always
}}
"""
    write_private(run / "nats.conf", text.encode())


def command(run: Path) -> tuple[str, ...]:
    """The command line of the server whose configuration lies in `run`."""
    return (executable("nats-server"), "--config", str(run / "nats.conf"))


async def answers(host: str, port: int) -> None:
    """Return when a NATS server with JetStream greets on the port.

    Raises:
        OSError: nothing listens.
        ValueError: something else listens, or JetStream is off.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        line = await asyncio.wait_for(reader.readline(), timeout=2.0)
    finally:
        writer.close()
    kind, _, rest = line.decode(errors="replace").partition(" ")
    if kind != "INFO" or not json.loads(rest).get("jetstream"):
        raise ValueError("what answers is not a NATS server with JetStream")
