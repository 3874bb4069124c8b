"""The whole stack and one Chromium for all journeys of a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.browser import chromium


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
        faults = [
            line
            for program in ("gateway", "registry", "matching")
            for line in running.layout.log(program).read_text().splitlines()
            # The limits library drops a counter twice when it ends at the moment it is looked at.
            if '"level": "error"' in line and "MemoryStorage.__expire" not in line
        ]
    assert faults == [], "something went wrong inside that no page told"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    if chromium.executable() is None:
        pytest.skip("no Chromium here: `make setup-browser` tells how to get it")
    async with chromium.chromium() as running:
        yield running
