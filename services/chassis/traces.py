"""OpenTelemetry traces, sent to a collector when one is configured and not made otherwise.

The libraries take half a second to load, so they are loaded only where spans are wanted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

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


def page_middlewares() -> Sequence[Middleware]:
    """Return the middlewares that open a span per page asked for."""
    if not _enabled:
        return []
    from opentelemetry.instrumentation.aiohttp_server import middleware

    return [middleware]
