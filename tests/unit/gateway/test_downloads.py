"""A download of the audit is whole, and does not ask for all of it at once."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from services.gateway.clients import Services
from services.gateway.handlers import audit
from services.gateway.keys import DOWNLOADS
from services.gateway.languages import LANGUAGE
from services.gateway.people import PERSON, SERVICES, Person
from spareline.market.v1.organization_pb2 import AuditEntry
from spareline.registry.v1 import registry_service_pb2 as api
from spareline.registry.v1 import registry_service_pb2_grpc as api_grpc

_ENTRIES = 1000
_OPERATOR = Person("o/members/m", "o", "operator", "O", "o@example.com", "en", "t", "r", 0.0)


class _Registry(api_grpc.RegistryServiceServicer):
    """Has a log of so many entries, and notes how many ask for a later part of it at once."""

    def __init__(self) -> None:
        self.asking = self.most = 0

    async def ListAuditEntries(
        self, request: api.ListAuditEntriesRequest, context: object
    ) -> api.ListAuditEntriesResponse:
        begin = int(request.page_token or 0)
        self.asking += begin > 0
        self.most = max(self.most, self.asking)
        await asyncio.sleep(0.005)
        self.asking -= begin > 0
        end = min(begin + request.page_size, _ENTRIES)
        entries = [AuditEntry(resource=str(number)) for number in range(begin, end)]
        following = str(end) if end < _ENTRIES else ""
        return api.ListAuditEntriesResponse(audit_entries=entries, next_page_token=following)


@web.middleware
async def _signed_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[LANGUAGE], request[PERSON] = "en", _OPERATOR
    return await handler(request)


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[tuple[_Registry, str]]:
    server, servicer = grpc.aio.server(), _Registry()  # type: ignore[abstract]
    api_grpc.add_RegistryServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


async def test_downloads_are_whole_and_take_turns(registry: tuple[_Registry, str]) -> None:
    servicer, address = registry
    app = web.Application(middlewares=[_signed_in])
    app.router.add_get("/audit.csv", audit.everything_csv)
    app[DOWNLOADS] = asyncio.Semaphore(1)
    async with grpc.aio.insecure_channel(address) as channel:
        app[SERVICES] = Services(channel, channel)
        async with TestClient(TestServer(app)) as client, asyncio.timeout(20):
            answers = await asyncio.gather(*(client.get("/audit.csv") for _ in range(3)))
            texts = [(await each.read()).decode("utf-8-sig") for each in answers]
    for text in texts:
        header, *rows = csv.reader(text.splitlines())
        resource = header.index("resource")
        assert [row[resource] for row in rows] == [str(number) for number in range(_ENTRIES)]
    assert servicer.most == 1
