"""OpenTelemetry traces, sent to a collector when one is configured and not made otherwise.

The libraries take half a second to load, so they are loaded only where spans are wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

_enabled = False


def configure(service: str, endpoint: str) -> Callable[[], Awaitable[None]]:
    """Export spans of this process to the OTLP collector; await what is returned to flush."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _enabled
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    _enabled = True

    async def close() -> None:
        provider.shutdown()

    return close


def server_interceptors() -> Sequence[grpc.aio.ServerInterceptor]:
    """Return the interceptors that open a span per incoming RPC."""
    if not _enabled:
        return []
    from opentelemetry.instrumentation.grpc import aio_server_interceptor

    make: Callable[[], grpc.aio.ServerInterceptor] = aio_server_interceptor
    return [make()]


def client_interceptors() -> Sequence[grpc.aio.ClientInterceptor]:
    """Return the interceptors that carry the span to the service called."""
    if not _enabled:
        return []
    from opentelemetry.instrumentation.grpc import aio_client_interceptors

    make: Callable[[], Sequence[grpc.aio.ClientInterceptor]] = aio_client_interceptors
    return list(make())


def page_middlewares(secret: str) -> Sequence[Middleware]:
    """Return the middlewares that open a span per page asked for.

    Spans tell the address, so those that begin with ``secret`` (as they hold one) get none.
    """
    if not _enabled:
        return []
    from aiohttp import web
    from opentelemetry.instrumentation.aiohttp_server import middleware

    @web.middleware
    async def spans(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(secret):
            return await handler(request)
        response: web.StreamResponse = await middleware(request, handler)
        return response

    return [spans]


@contextmanager
def span(
    name: str, carried: Mapping[str, str] | None = None, **attributes: str | int | float
) -> Iterator[None]:
    """Open a span for the block, below the one that ``carried`` tells of if it tells of one."""
    if not _enabled:
        yield
        return
    from opentelemetry import propagate, trace

    above = propagate.extract(dict(carried)) if carried else None
    tracer = trace.get_tracer("spareline")
    with tracer.start_as_current_span(name, context=above, attributes=attributes):
        yield


def carried() -> dict[str, str]:
    """Return what makes spans of another process part of this trace; see ``span``."""
    if not _enabled:
        return {}
    from opentelemetry import propagate

    found: dict[str, str] = {}
    propagate.inject(found)
    return found
