"""OpenTelemetry traces, sent to a collector when one is configured and not made otherwise."""

from collections.abc import Awaitable, Callable, Sequence

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def configure(service: str, endpoint: str) -> Callable[[], Awaitable[None]]:
    """Export spans of this process to the OTLP collector; await what is returned to flush."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)

    async def close() -> None:
        provider.shutdown()

    return close


def enabled() -> bool:
    """Tell whether spans are exported."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def server_interceptors() -> Sequence[grpc.aio.ServerInterceptor]:
    """Return the interceptors that open a span per incoming RPC."""
    make: Callable[[], grpc.aio.ServerInterceptor] = aio_server_interceptor
    return [make()] if enabled() else []


def client_interceptors() -> Sequence[grpc.aio.ClientInterceptor]:
    """Return the interceptors that carry the span to the service called."""
    make: Callable[[], Sequence[grpc.aio.ClientInterceptor]] = aio_client_interceptors
    return list(make()) if enabled() else []
