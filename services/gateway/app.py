"""The composition root of the gateway."""

from __future__ import annotations

import asyncio
import hashlib

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp_session import session_middleware
from aiohttp_session.cookie_storage import EncryptedCookieStorage

from services.chassis import traces
from services.chassis.app import App
from services.gateway import people, routes
from services.gateway.clients import Services, connect
from services.gateway.files.reading import MOST_BYTES
from services.gateway.handlers import files
from services.gateway.keys import CHASSIS, DOWNLOADS, FILE_KEY
from services.gateway.languages import LANGUAGE, choose
from services.gateway.market import TAXONOMY, Taxonomy
from services.gateway.middleware import compression, failures, metrics, security
from services.gateway.settings import GatewaySettings

_SESSION_SECONDS = 30 * 24 * 3600
_LARGEST_FORM = 4 * 1024 * 1024
_AROUND_A_FILE = 64 * 1024


@web.middleware
async def reader(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who reads, and in which language."""
    request[LANGUAGE] = choose(request)
    if request.path.startswith(("/static/", "/health/", routes.API)):
        return await handler(request)
    person = await people.load(request)
    request[people.PERSON] = person
    request[LANGUAGE] = choose(request, person.language if person else "")
    return await handler(request)


@web.middleware
async def larger_files(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a file be larger than any form, where files come in."""
    if request.method == "POST" and request.path == files.PATH:
        request = request.clone(client_max_size=MOST_BYTES + _AROUND_A_FILE)
    return await handler(request)


def application(app: App, settings: GatewaySettings, services: Services) -> web.Application:
    """Return the web application, not yet listening."""
    cookie = EncryptedCookieStorage(
        _fernet_key(settings),
        cookie_name="__Host-session" if settings.secure_cookies else "session",
        max_age=_SESSION_SECONDS,
        httponly=True,
        secure=settings.secure_cookies,
        samesite="Lax",
    )
    web_app = web.Application(
        client_max_size=_LARGEST_FORM,
        middlewares=[
            *traces.page_middlewares(routes.PRIVATE),
            metrics.measure,
            failures.request_id,
            compression.compress,
            security.headers,
            session_middleware(cookie),
            failures.failures,
            reader,
            larger_files,
            security.csrf,
        ],
    )
    web_app[CHASSIS] = app
    web_app[DOWNLOADS] = asyncio.Semaphore(1)
    web_app[FILE_KEY] = files.file_key(_fernet_key(settings))
    web_app[people.SERVICES] = services
    web_app[people.RENEWALS] = people.Renewals(services)
    web_app[TAXONOMY] = Taxonomy()
    routes.add(web_app)
    return web_app


async def build(app: App, settings: GatewaySettings) -> None:
    """Open the channels to the services, and listen."""
    services = await connect(app, settings.registry_address, settings.matching_address)
    app.probe("services", services.reachable)
    runner = web.AppRunner(
        application(app, settings, services),
        access_log=None,
        shutdown_timeout=settings.drain_seconds,
    )
    await runner.setup()
    app.push(runner.cleanup)
    site = web.TCPSite(runner, settings.gateway_host, settings.gateway_port)
    await site.start()
    app.log.info("listening", host=settings.gateway_host, port=settings.gateway_port)


def _fernet_key(settings: GatewaySettings) -> bytes:
    """Derive the 32 bytes that the cookie is sealed with from the setting, whatever its form."""
    return hashlib.sha256(settings.session_key.get_secret_value().encode()).digest()
