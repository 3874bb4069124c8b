"""The life of a service: order of closing, supervision, readiness, signals, exit codes."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.app import App, TaskCrashed


async def test_things_close_in_the_reverse_order_of_opening() -> None:
    closed: list[str] = []

    @contextlib.asynccontextmanager
    async def thing(name: str) -> AsyncIterator[str]:
        yield name
        closed.append(name)

    async def push() -> None:
        closed.append("pushed")

    async def drain() -> None:
        closed.append("drained")

    async with App("test") as app:
        app.on_drain(drain)
        assert await app.enter(thing("first")) == "first"
        app.push(push)
        await app.enter(thing("last"))
    assert closed == ["drained", "last", "pushed", "first"]


async def test_a_spawned_task_ends_before_what_it_uses() -> None:
    ended: list[str] = []

    @contextlib.asynccontextmanager
    async def store() -> AsyncIterator[None]:
        yield
        ended.append("store")

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("task")

    async with App("test") as app:
        await app.enter(store())
        app.spawn("work", work())
        await asyncio.sleep(0)
    assert ended == ["task", "store"]
    assert app.exit_code == 0


@pytest.mark.parametrize("crash", [True, False])
async def test_a_task_that_ends_stops_the_app(crash: bool) -> None:
    async def work() -> None:
        if crash:
            raise ValueError("broken")

    app = App("test")

    async def live() -> None:
        async with app, asyncio.timeout(5):
            app.spawn("work", work())
            await app.wait_stopped()

    with pytest.raises(TaskCrashed):
        await live()
    assert app.exit_code == 1


async def test_readiness_follows_the_probes_and_ends_with_the_app() -> None:
    away = True
    told: list[bool] = []

    async def check() -> None:
        if away:
            raise ConnectionError

    async def tell(ready: bool) -> None:
        told.append(ready)

    async with App("test") as app:
        app.probe("store", check)
        await app.health.report_to(tell)
        assert app.health.failing == {"store": "ConnectionError"}
        away = False
        async with asyncio.timeout(5):
            await app.health.wait_ready()
    assert told == [False, True, False]
    await app.health.check()
    assert not app.health.ready


PROGRAM = """
import asyncio, sys
from services.chassis.app import App, main
from services.chassis.settings import ChassisSettings

async def build(app: App, settings: ChassisSettings) -> None:
    async def work() -> None:
        await asyncio.sleep(0.2 if sys.argv[1] == "crash" else 60)
        raise ValueError("broken on purpose")
    async def close() -> None:
        print("closed", flush=True)
    app.push(close)
    app.spawn("work", work())
    if sys.argv[1] == "fail":
        raise RuntimeError("cannot start")
    print("built", flush=True)
    if sys.argv[1] == "wait":
        await asyncio.sleep(60)

main("probe", ChassisSettings(
    mongo_url="mongodb://127.0.0.1:1", nats_url="nats://127.0.0.1:1", grpc_port=0), build)
"""


async def run(tmp_path: Path, how: str, number: signal.Signals | None) -> tuple[int | None, str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        how,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(20):
        if number is not None:
            while b"built" not in said:
                said += await process.stdout.readline()
            process.send_signal(number)
        said += await process.stdout.read()
        await process.wait()
    return process.returncode, said.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", ["run", "wait"])
async def test_a_signal_ends_the_process_cleanly(
    tmp_path: Path, how: str, number: signal.Signals
) -> None:
    code, said = await run(tmp_path, how, number)
    assert code == 0
    assert "closed" in said
    assert "Traceback" not in said


async def test_a_crashed_task_ends_the_process_with_1_and_its_traceback(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "crash", None)
    assert code == 1
    assert "broken on purpose" in said
    assert "Traceback" in said
    assert "closed" in said


async def test_a_build_that_fails_ends_the_process_with_1(tmp_path: Path) -> None:
    code, said = await run(tmp_path, "fail", None)
    assert code == 1
    assert "cannot start" in said
    assert "closed" in said


async def test_a_task_that_misses_its_cancellation_does_not_keep_the_app_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.chassis.app.CANCEL_AGAIN_SECONDS", 0.05)
    missed = 0

    async def hard_of_hearing() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                missed += 1
                if missed > 2:
                    raise

    async with asyncio.timeout(5):
        async with App("hard") as app:
            app.spawn("task", hard_of_hearing())
            await asyncio.sleep(0)
    assert missed == 3
