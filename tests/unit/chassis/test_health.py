"""A service is ready when all that it needs is there, whenever it learns what it needs."""

from __future__ import annotations

from services.chassis.health import Health


async def test_a_probe_that_is_added_while_others_run_counts_from_then_on() -> None:
    health = Health("probed")

    async def away() -> None:
        raise ConnectionError

    async def fine() -> None:
        health.probe("late", away)

    health.probe("early", fine)
    assert not await health.check()
    assert health.failing == {}
    assert not await health.check()
    assert health.failing == {"late": "ConnectionError"}
