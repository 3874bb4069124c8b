"""Waiting until a program of the stack really serves, and saying why when it does not."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pymongo.errors import PyMongoError

from deploy.local.layout import Layout
from deploy.local.log_tail import log_tail
from deploy.local.problems import StartFailed
from deploy.local.supervision import ProgramState

Probe = Callable[[], Awaitable[object]]

_READY: Final = re.compile(r"^spareline_ready\{[^}]*\} 1\.0$", re.MULTILINE)
_POLL_SECONDS: Final = 0.1
# A program that ended this often before it was ready will not become ready by itself.
_DEATHS: Final = 3
_NOT_YET = (OSError, ValueError, PyMongoError, grpc.RpcError, aiohttp.ClientError, TimeoutError)


async def grpc_serves(address: str) -> None:
    """Return when the health service at host:port says SERVING for the whole server.

    Raises:
        grpc.RpcError: nobody answers.
        ValueError: it answers, but is not ready.
    """
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2.0)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ValueError("it answers, but says that it is not ready")


async def http_ready(url: str) -> None:
    """Return when GET `url` answers 200.

    Raises:
        aiohttp.ClientError: nobody answers, or with another status.
    """
    limit = aiohttp.ClientTimeout(total=3.0)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
        response.raise_for_status()


async def metrics_ready(url: str) -> None:
    """Return when the metrics at `url` say that the process is ready.

    Raises:
        aiohttp.ClientError: nobody answers, or with another status.
        ValueError: it answers, but is not ready.
    """
    limit = aiohttp.ClientTimeout(total=3.0)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as response:
        response.raise_for_status()
        if not _READY.search(await response.text()):
            raise ValueError("it answers, but says that it is not ready")


async def wait(
    name: str,
    probe: Probe,
    *,
    state: Callable[[], ProgramState],
    layout: Layout,
    patience: float,
) -> None:
    """Wait until `probe` passes.

    Raises:
        StartFailed: the program keeps ending, or is not ready after `patience` seconds. The text
            ends with the last lines of its log.
    """
    deadline = time.monotonic() + patience
    pids: set[int] = set()
    reason = "it has not answered yet"
    while True:
        now = state()
        pids.add(now.pid)
        if now.state == "FATAL" or len(pids - {0}) > _DEATHS:
            ended = f"{name} ends again and again. {now.detail}".strip()
            raise StartFailed(f"{ended}\n{log_tail(layout.log(name))}")
        try:
            await probe()
        except _NOT_YET as error:
            reason = _brief(error)
        else:
            return
        if time.monotonic() > deadline:
            raise StartFailed(
                f"{name} is not ready after {patience:.0f} s: {reason}\n"
                f"{log_tail(layout.log(name))}"
            )
        await asyncio.sleep(_POLL_SECONDS)


def _brief(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name} {error.details()}"
    return str(error) or type(error).__name__
