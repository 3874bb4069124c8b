"""The embedded store: a MongoDB-wire server on WiredTiger, run as a process of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.executables import executable
from deploy.local.layout import write_private
from deploy.local.problems import StackError
from deploy.local.settings import LOOPBACK

# WiredTiger writes the durability it was opened with into this file of a new database.
_BASE_CONFIG = "WiredTiger.basecfg"
_SYNCED = "transaction_sync=(enabled=true,method=fsync)"


def write_config(run: Path) -> None:
    """Write the store's configuration; without one it would take a file it happens to find."""
    write_private(run / "store.toml", b"[storage]\nsync_on_commit = true\n")


def command(run: Path, data: Path, port: int) -> tuple[str, ...]:
    """The command line of the store. Without sync-on-commit a crash loses acknowledged writes.

    Standalone: as a replica set it would write everything a second time, into an operation log
    for change streams, which nothing here reads.
    """
    return (
        executable("secantusd-py"),
        *("--config", str(run / "store.toml")),
        *("--host", LOOPBACK),
        *("--port", str(port)),
        *("--storage-path", str(data)),
        *("--log-level", "WARNING"),
        "--sync-on-commit",
        "--standalone",
    )


async def answers(url: str) -> dict[str, Any]:
    """Return the server's own status once it answers.

    Raises:
        PyMongoError: it does not.
    """
    return await asyncio.to_thread(_status, url)


async def assert_synced(url: str, data: Path) -> None:
    """Make sure that the store that answers syncs its log at every commit.

    The server has no command that tells, so this looks at the command line of the very process
    that answers and at what WiredTiger recorded when it made the database.

    Raises:
        StackError: it does not sync, so what it acknowledges could be lost.
    """
    status = await answers(url)
    process = psutil.Process(int(status["pid"]))
    base = data / _BASE_CONFIG
    arguments = process.cmdline()
    if "--sync-on-commit" not in arguments or str(data) not in arguments:
        raise StackError(
            "The store was started without --sync-on-commit: acknowledged writes could be lost."
        )
    if _SYNCED not in base.read_text():
        raise StackError(
            f"The store's data in {data} was made without syncing at commit. "
            "Move it away, or run: make demo-clean"
        )


def _status(url: str) -> dict[str, Any]:
    with MongoClient[dict[str, Any]](
        url, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000, socketTimeoutMS=3000
    ) as client:
        return dict(client.admin.command("serverStatus"))


__all__ = ["PyMongoError", "answers", "assert_synced", "command", "write_config"]
