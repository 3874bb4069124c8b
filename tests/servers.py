"""The real servers that tests run against, as plain async context managers.

Each starts a process of its own on a free loopback port with the safe settings of the
embedded stack, keeps its data where it is told, and ends it afterwards. ``Server.kill`` and
``Server.restart`` are for tests of what happens when it dies.
"""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

START_SECONDS = 20.0


class Server:
    """One server process that can be killed and started again on the same port and data."""

    def __init__(self, command: list[str], url: str, port: int, log: Path) -> None:
        self.url = url
        self.port = port
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process and wait until its port answers."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log
            )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            if self._process.returncode is not None:
                raise RuntimeError(f"{self._command[0]} ended:\n{self._log.read_text()[-2000:]}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    async def kill(self) -> None:
        """End the process as a power cut would (SIGKILL)."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End the process in an orderly way."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """Kill the process and start it again on the same port and data."""
        await self.kill()
        await self.start()

    async def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            process.kill()
            await process.wait()


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def program(name: str) -> str:
    """Return the path of a program of this environment. Raises FileNotFoundError."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed in this environment")
    return found


@contextlib.asynccontextmanager
async def nats_server(data: Path | None = None) -> AsyncIterator[Server]:
    """Run nats-server with JetStream that syncs each message to disk."""
    async with _running(data, _nats) as server:
        yield server


@contextlib.asynccontextmanager
async def mongo_server(data: Path | None = None) -> AsyncIterator[Server]:
    """Run the embedded store with acknowledged writes synced to disk."""
    async with _running(data, _mongo) as server:
        yield server


@contextlib.asynccontextmanager
async def _running(
    data: Path | None, prepare: Callable[[Path, int], Awaitable[Server]]
) -> AsyncIterator[Server]:
    with contextlib.ExitStack() as stack:
        if data is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spareline-")))
        server = await prepare(data, free_port())
        await server.start()
        try:
            yield server
        finally:
            await server.stop()


async def _nats(data: Path, port: int) -> Server:
    config = data / "nats.conf"
    config.write_text(
        f"host: 127.0.0.1\nport: {port}\n"
        f'jetstream {{\n  store_dir: "{data / "jetstream"}"\n  sync_interval: always\n}}\n'
    )
    command = [program("nats-server"), "-c", str(config)]
    return Server(command, f"nats://127.0.0.1:{port}", port, data / "nats.log")


async def _mongo(data: Path, port: int) -> Server:
    config = data / "store.toml"
    config.write_text("")  # named, so that no file of the working directory is picked up
    command = [
        program("secantusd-py"),
        *("--config", str(config)),
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
        *("--storage-path", str(data / "store")),
        *("--cache-size", "256M"),
        "--sync-on-commit",
        "--standalone",
    ]
    return Server(command, f"mongodb://127.0.0.1:{port}", port, data / "store.log")
