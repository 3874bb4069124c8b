"""What the tests of whole markets share."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.matching.engine import SolverProcess


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def solver() -> AsyncIterator[SolverProcess]:
    """One solver for all markets of a file."""
    process = SolverProcess()
    yield process
    await process.close()
