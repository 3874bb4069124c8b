"""One registry for all of this folder, on a real store and bus, and who takes part."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import servers
from tests.e2e.registry_market import Caller, Market, check_ledger, running_market


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str, Path]]:
    async with servers.mongo_server() as store, servers.nats_server() as bus:
        yield store.url, bus.url, tmp_path_factory.mktemp("registry")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def market(stack: tuple[str, str, Path]) -> AsyncIterator[Market]:
    store, bus, folder = stack
    async with running_market(store, bus, "registry", folder) as running:
        yield running
        report = await check_ledger(await running.matching())
        assert list(report.breaches) == []


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def acme(market: Market) -> Caller:
    return await market.sme("acme")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def buyer(market: Market) -> Caller:
    return await market.sme("buyer", region="DE-BW")


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def matching(market: Market) -> Caller:
    return await market.matching()
