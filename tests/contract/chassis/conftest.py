"""A running app with the probe service behind the guard, and a stub to call it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.chassis.app import App
from services.chassis.grpc_client import channel
from services.chassis.grpc_server import grpc_server
from tests.contract.chassis.probe_server import Servicer, delegated, verifier
from tests.contract.chassis.probe_service import DESCRIPTOR, Stub, add_to_server


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with App("probe", drain_seconds=1) as running:
        yield running


@pytest.fixture
async def address(app: App) -> str:
    servicer = (DESCRIPTOR, add_to_server, Servicer())
    port = await grpc_server(app, "127.0.0.1", 0, [servicer], verifier(), delegated)
    return f"127.0.0.1:{port}"


@pytest.fixture
async def stub(address: str) -> AsyncIterator[Any]:
    async with channel(address) as opened:
        yield Stub(opened)
