"""What every page passes on its way out: compression, caching, and masked form tokens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler
from aiohttp_session import SimpleCookieStorage, session_middleware

from services.gateway.languages import LANGUAGE
from services.gateway.middleware import compression, failures, security
from services.gateway.people import PERSON
from services.gateway.render import WEB, asset

_PAGE = "<p>{}</p>" + "many words " * 300

Client = TestClient[web.Request, web.Application]


async def _form(request: web.Request) -> web.Response:
    return web.Response(text=_PAGE.format(await security.token(request)), content_type="text/html")


async def _short(_: web.Request) -> web.Response:
    return web.Response(text="short")


async def _taken(_: web.Request) -> web.Response:
    return web.Response(text="taken")


@web.middleware
async def _nobody(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[LANGUAGE], request[PERSON] = "en", None
    return await handler(request)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application(
        middlewares=[
            failures.request_id,
            compression.compress,
            security.headers,
            session_middleware(SimpleCookieStorage()),
            _nobody,
            failures.failures,
            security.csrf,
        ]
    )
    app.router.add_get("/form", _form)
    app.router.add_get("/short", _short)
    app.router.add_post("/form", _taken)
    app.router.add_static("/static", WEB / "static")
    async with TestClient(TestServer(app), auto_decompress=True) as running:
        yield running


async def _token(client: Client) -> str:
    text = await (await client.get("/form")).text()
    found = re.search("<p>(.+)</p>", text)
    assert found is not None
    return found[1]


async def test_text_is_sent_compressed_to_whom_can_read_it(client: Client) -> None:
    whole = await client.get("/form", headers={"Accept-Encoding": "gzip, br"})
    assert whole.headers["Content-Encoding"] == "gzip"
    assert whole.headers["Vary"] == "Accept-Encoding"
    assert int(whole.headers["Content-Length"]) < 400
    assert "many words" in await whole.text()
    plain = await client.get("/form", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    short = await client.get("/short", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


async def test_each_page_has_a_token_of_its_own_and_all_are_taken(client: Client) -> None:
    tokens = [await _token(client) for _ in range(3)]
    assert len(set(tokens)) == 3
    for token in tokens:
        answer = await client.post("/form", data={security.FIELD: token})
        assert await answer.text() == "taken"


async def test_other_tokens_are_refused(client: Client) -> None:
    token = await _token(client)
    others = ["", "made-up", "é", "A" * len(token), token[:-4], token[4:]]
    for other in others:
        answer = await client.post("/form", data={security.FIELD: other})
        assert answer.status == 403, other
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as stranger,
        stranger.post(client.make_url("/form"), data={security.FIELD: token}) as answer,
    ):
        assert answer.status == 403


async def test_files_are_kept_by_browsers_and_pages_are_not(client: Client) -> None:
    file = await client.get(asset("spareline.css"))
    assert file.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Cache-Control" not in (await client.get("/static/spareline.css")).headers
    assert (await client.get("/form")).headers["Cache-Control"] == "no-store"
