"""A TCP proxy that forwards a request and cuts the line before its answer comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

# Documents of these commands change something; heartbeats and reads pass untouched.
_WRITES = (b"\x02insert\x00", b"\x02update\x00")


class CuttingProxy:
    """Forwards to one loopback port."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cuts = 0
        self._target = target
        self._armed = False

    def cut_next_answer(self) -> None:
        """Cut the connection of the next write once the server has answered it."""
        self._armed = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        line = _Line(self, reader, writer, up_reader, up_writer)
        try:
            await asyncio.wait(
                {asyncio.ensure_future(line.upwards()), asyncio.ensure_future(line.downwards())},
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            writer.close()
            up_writer.close()

    def take(self, data: bytes) -> bool:
        """Tell whether the answer to this request is the one to be cut."""
        if self._armed and any(write in data for write in _WRITES):
            self._armed = False
            self.cuts += 1
            return True
        return False


class _Line:
    def __init__(self, proxy, reader, writer, up_reader, up_writer) -> None:  # type: ignore[no-untyped-def]
        self._proxy, self._cutting = proxy, False
        self._reader, self._writer = reader, writer
        self._up_reader, self._up_writer = up_reader, up_writer

    async def upwards(self) -> None:
        while data := await self._reader.read(65536):
            if self._proxy.take(data):
                self._cutting = True
            self._up_writer.write(data)
            await self._up_writer.drain()

    async def downwards(self) -> None:
        while data := await self._up_reader.read(65536):
            if self._cutting:
                return
            self._writer.write(data)
            await self._writer.drain()


@contextlib.asynccontextmanager
async def cutting_proxy(target: int) -> AsyncIterator[CuttingProxy]:
    """Run a proxy to a loopback port."""
    proxy = CuttingProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
