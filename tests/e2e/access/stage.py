"""A gateway of its own before the scene."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from services.chassis.app import App
from services.gateway import app as gateway
from services.gateway.settings import GatewaySettings
from tests import servers
from tests.e2e.access.scene import Scene


@contextlib.asynccontextmanager
async def pages(before: Scene) -> AsyncIterator[str]:
    """Run a gateway in process; its address."""
    async with App("gateway", drain_seconds=0.2) as app:
        port = servers.free_port()
        settings = GatewaySettings(
            gateway_port=port,
            registry_address=f"127.0.0.1:{before.market.registry_port}",
            matching_address=f"127.0.0.1:{before.market.matching_port}",
            session_key="k" * 32,  # type: ignore[arg-type]
            secure_cookies=False,
            drain_seconds=0.2,
        )
        await gateway.build(app, settings)
        yield f"http://127.0.0.1:{port}"
