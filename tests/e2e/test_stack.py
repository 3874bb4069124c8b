"""The embedded stack with its real servers: it restarts what dies, and leaves nothing behind."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from pymongo import MongoClient

from deploy.local.free_ports import settings_on_free_ports
from deploy.local.problems import PortTaken, StackError
from deploy.local.stack import Stack
from tests.e2e.stack_process import launcher, left_of, read_until

pytestmark = pytest.mark.e2e


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def open_to_others(var: Path) -> list[str]:
    return [
        str(path.relative_to(var))
        for path in (var, *var.glob("*"), *var.glob("secrets/*"), *var.glob("run/*"))
        if path.stat().st_mode & 0o077
    ]


def collection_of(client: MongoClient[dict[str, Any]]) -> Any:
    return client["stack_test"]["kept"]


async def test_killed_servers_come_back_with_all_they_acknowledged(tmp_path: Path) -> None:
    async with Stack(tmp_path, services=False) as stack:
        with MongoClient[dict[str, Any]](stack.mongo_url, retryWrites=False) as client:
            for number in range(50):
                collection_of(client).insert_one({"_id": number})
            old = await stack.kill("store")
            assert await stack.restarted("store", old) != old
            assert collection_of(client).count_documents({}) == 50

        connection = await nats.connect(stack.nats_url, max_reconnect_attempts=-1)
        stream = connection.jetstream()
        await stream.add_stream(name="KEPT", subjects=["kept.>"])
        for number in range(50):
            await stream.publish(f"kept.{number}", b"x")
        old = await stack.kill("nats")
        assert await stack.restarted("nats", old) != old
        assert await asyncio.to_thread(until, lambda: connection.is_connected, 10)
        assert (await stream.stream_info("KEPT")).state.messages == 50
        await connection.close()
        assert open_to_others(tmp_path) == []
    assert left_of(tmp_path) == []

    # The next start finds its data and its secrets again.
    password = stack.credentials.operator_password
    async with Stack(tmp_path, services=False) as again:
        assert again.credentials.operator_password == password
        with MongoClient[dict[str, Any]](again.mongo_url, retryWrites=False) as client:
            assert collection_of(client).count_documents({}) == 50


async def test_a_taken_port_is_named_with_its_holder_and_its_setting(tmp_path: Path) -> None:
    settings = settings_on_free_ports(tmp_path)
    with socket.create_server(("127.0.0.1", settings.port("store_port"))):
        with pytest.raises(PortTaken) as refusal:
            async with Stack(services=False, settings=settings):
                pass
        text = str(refusal.value)
        assert f"Port {settings.port('store_port')}, which store needs, is taken" in text
        assert f"(pid {os.getpid()})" in text
        assert "SPARELINE_STORE_PORT=" in text
    # The refused start holds nothing back from the next one.
    async with Stack(services=False, settings=settings) as stack:
        assert stack.pid("store") > 0


async def test_when_the_supervisor_is_killed_the_watch_says_so_and_nothing_stays(
    tmp_path: Path,
) -> None:
    async with Stack(tmp_path, services=False) as stack:
        supervisor = int((stack.layout.run / "supervisord.pid").read_text())
        os.kill(supervisor, signal.SIGKILL)
        with pytest.raises(StackError, match="supervisor has ended"):
            await asyncio.wait_for(stack.watch(lambda _: None), 15)
    assert left_of(tmp_path) == []


def test_ctrl_c_ends_everything_in_order(tmp_path: Path) -> None:
    with launcher(tmp_path, "run", "--servers-only") as first:
        read_until(first, "Ctrl-C ends them")
        with launcher(tmp_path, "run", "--servers-only") as second:
            said = second.communicate(timeout=20)[0]
            assert second.returncode == 1
            assert f"Already running on {tmp_path}" in said
            assert f"pid {first.pid}" in said
        with launcher(tmp_path, "demo-clean") as cleaner:
            assert "Already running" in cleaner.communicate(timeout=20)[0]
        assert (tmp_path / "data" / "store").is_dir()

        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=30)[0]
        assert first.returncode == 0, said
    assert left_of(tmp_path) == []
    log = (tmp_path / "logs" / "supervisord.log").read_text()
    assert log.index("stopped: nats") < log.index("stopped: store")

    with launcher(tmp_path, "demo-clean") as cleaner:
        assert "is removed" in cleaner.communicate(timeout=20)[0]
    assert not (tmp_path / "data").exists()


def test_a_signal_in_the_middle_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    with launcher(tmp_path, "run", "--servers-only") as early:
        read_until(early, "Waiting for store")
        early.send_signal(signal.SIGTERM)
        early.communicate(timeout=30)
        assert early.returncode == 0
    assert left_of(tmp_path) == []


def test_a_killed_launcher_leaves_nothing_and_blocks_no_start(tmp_path: Path) -> None:
    with launcher(tmp_path, "run", "--servers-only") as killed:
        read_until(killed, "Ctrl-C ends them")
        assert len(left_of(tmp_path)) == 3  # the supervisor and its two servers
        killed.kill()
        killed.wait()
    # At once, while the servers may still be ending.
    with launcher(tmp_path, "run", "--servers-only") as following:
        read_until(following, "Ctrl-C ends them")
        following.kill()
        following.wait()
    if sys.platform == "linux":
        assert until(lambda: left_of(tmp_path) == [], 40)
    else:
        with launcher(tmp_path, "demo-clean") as cleaner:
            cleaner.communicate(timeout=60)
        assert left_of(tmp_path) == []
