"""A server's start, its health, and how it ends."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.app import App
from services.chassis.grpc_client import channel
from services.chassis.grpc_server import grpc_server
from spareline.options.v1 import options_pb2
from tests.contract.chassis.probe_server import Servicer, delegated, verifier
from tests.contract.chassis.probe_service import (
    DESCRIPTOR,
    SERVICE,
    Probe,
    Stub,
    add_to_server,
    service_descriptor,
)


async def test_health_follows_the_probes(app: App, address: str) -> None:
    away = False

    async def check() -> None:
        if away:
            raise ConnectionError

    app.probe("thing", check)
    async with grpc.aio.insecure_channel(address) as opened:
        stub = health_pb2_grpc.HealthStub(opened)
        for away in (False, True, False):
            await app.health.check()
            for name in ("", SERVICE):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
                expected = "NOT_SERVING" if away else "SERVING"
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == expected


async def test_a_method_without_a_rule_is_refused_at_start(app: App) -> None:
    rules: Any = {
        "Guarded": (False, False, options_pb2.Access(public=True)),
        "Forgotten": (False, False, None),
        "Misnamed": (False, False, options_pb2.Access(organization_field="nothing")),
        "Mistaken": (False, False, options_pb2.Access(roles=["boss"])),
    }
    descriptor = service_descriptor("spareline.probe.unguarded.v1", rules)
    with pytest.raises(ValueError, match=r"Forgotten.*Misnamed.*Mistaken") as caught:
        await grpc_server(app, "127.0.0.1", 0, [(descriptor, print, None)], verifier(), delegated)
    assert "Guarded" not in str(caught.value)


async def test_a_taken_port_is_an_error(app: App, address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="taken"):
        await grpc_server(app, "127.0.0.1", port, [], verifier(), delegated)


async def test_a_call_under_way_ends_before_the_app_does() -> None:
    started = asyncio.Event()
    closed: list[str] = []

    class Slow(Servicer):
        async def Open(self, request: Any, context: Any) -> Any:
            started.set()
            await asyncio.sleep(0.5)
            closed.append("call")
            return Probe(number=1)

    async def close() -> None:
        closed.append("store")

    async with App("draining", drain_seconds=5) as app:
        servicer = (DESCRIPTOR, add_to_server, Slow())
        port = await grpc_server(app, "127.0.0.1", 0, [servicer], verifier(), delegated)
        app.push(close)  # opened after the server, and still closed after the drain
        opened = channel(f"127.0.0.1:{port}")
        call = asyncio.ensure_future(_await(Stub(opened).Open(Probe())))
        await started.wait()
    assert (await call).number == 1
    assert closed == ["call", "store"]
    await opened.close()


async def _await(call: Any) -> Any:
    return await call
