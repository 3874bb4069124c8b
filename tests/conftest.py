"""Fixtures that many tests use: a real bus per test, a real store per test session."""

import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import settings

from services.chassis import events, mongo
from tests import servers, sharing


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing.BySharedMarket:
    """Have files that share a market run in one process."""
    return sharing.BySharedMarket(config, log)


# Else every registry of every test would read the language model and take half a processor for it.
os.environ["SPARELINE_MEANING"] = "off"

# How long one example takes tells of what else the machine does, not of the code.
settings.register_profile("spareline", deadline=None)
settings.load_profile("spareline")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _mongo_for_all() -> AsyncIterator[servers.Server]:
    async with servers.mongo_server() as server:
        yield server


@pytest_asyncio.fixture
async def nats() -> AsyncIterator[servers.Server]:
    """A real nats-server of this test alone: its streams have fixed names, and it starts fast."""
    async with servers.nats_server() as server:
        yield server


@pytest.fixture
def nats_url(nats: servers.Server) -> str:
    """The address of this test's own nats-server."""
    return nats.url


@pytest.fixture
def mongo_url(_mongo_for_all: servers.Server) -> str:
    """The address of the real embedded store, shared by the session."""
    return _mongo_for_all.url


@pytest.fixture
def database_name() -> str:
    """A database name that no other test has."""
    return f"test_{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def database(mongo_url: str, database_name: str) -> AsyncIterator[mongo.Database]:
    """A database of this test alone. It goes with the session's store: dropping is slow there."""
    async with mongo.connect(mongo_url, database_name) as opened:
        yield opened


@pytest_asyncio.fixture
async def bus(nats_url: str) -> AsyncIterator[events.Bus]:
    """A connection to the bus with the streams in place."""
    async with events.connect(nats_url) as connected:
        await connected.ensure_streams()
        yield connected


@pytest.fixture
def capturing_logs(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Let a test configure the logs: they go where it reads, and not there once that is closed."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield capsys
    root.handlers[:] = before
    root.setLevel(level)
