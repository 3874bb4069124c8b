"""A gRPC server with health, reflection and the guard, as a part of an app."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.chassis import traces
from services.chassis.access import Access, Delegations, Rule
from services.chassis.app import App
from services.chassis.grpc_guard import Guard
from services.chassis.grpc_wire import MESSAGE_BYTES
from services.chassis.mutations import Recorder
from services.chassis.tokens import TokenVerifier

# (descriptor of the service, the generated add_…_to_server, the servicer)
Servicer = tuple[ServiceDescriptor, Callable[[Any, Any], None], Any]

_OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    # Clients ping idle connections every 20 s; refusing that would cut them off.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    # Two processes on one port would answer in turn; a taken port must fail instead.
    ("grpc.so_reuseport", 0),
)


async def grpc_server(
    app: App,
    host: str,
    port: int,
    servicers: Sequence[Servicer],
    verifier: TokenVerifier,
    delegations: Delegations,
    extra_access: Mapping[str, Rule] | None = None,
    recorder: Recorder | None = None,
) -> int:
    """Start serving and return the port (``port`` 0: a free one).

    ``recorder`` is told of every change and of every attempt at one. ``extra_access`` gives the
    rules, by path, of services whose protos declare none.

    Raises ValueError naming each RPC without a proper access rule, OSError when the port is
    taken. The server drains before anything else of the app is closed.
    """
    descriptors = [descriptor for descriptor, _, _ in servicers]
    guard = Guard(Access(descriptors, extra_access), verifier, delegations, recorder)
    server = grpc.aio.server(
        interceptors=[*traces.server_interceptors(), guard], options=list(_OPTIONS)
    )
    for _, add, servicer in servicers:
        add(servicer, server)
    names = [descriptor.full_name for descriptor in descriptors]
    reporter = _serve_health(server, names)
    reflection.enable_server_reflection(
        (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    try:
        bound: int = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on {host}:{port}; is it taken?") from error
    await server.start()
    await app.health.report_to(reporter)

    async def drain() -> None:
        await server.stop(app.drain_seconds)

    app.on_drain(drain)
    app.log.info("grpc server listens", host=host, port=bound)
    return bound


def _serve_health(server: grpc.aio.Server, names: Sequence[str]) -> Any:
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    status = health_pb2.HealthCheckResponse.ServingStatus

    async def report(ready: bool) -> None:
        for name in ("", *names):
            await servicer.set(name, status.SERVING if ready else status.NOT_SERVING)

    return report
