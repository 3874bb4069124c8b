"""Prometheus metrics of the chassis and the endpoint that shows them."""

from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge, Histogram, start_http_server

RPCS = Counter("spareline_rpc_total", "RPCs answered", ["method", "code"])
RPC_SECONDS = Histogram(
    "spareline_rpc_seconds",
    "Seconds from the first byte of an RPC to its status",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RPCS_IN_FLIGHT = Gauge("spareline_rpc_in_flight", "RPCs being answered")
EVENTS_PUBLISHED = Counter("spareline_events_published_total", "Events published", ["subject"])
EVENTS_HANDLED = Counter(
    "spareline_events_handled_total",
    "Events taken from a durable, by outcome: acked, retried, dead",
    ["durable", "outcome"],
)
OUTBOX_RELAYED = Counter(
    "spareline_outbox_relayed_total", "Documents whose outbox was emptied", ["collection"]
)
OUTBOX_FAILURES = Counter("spareline_outbox_failures_total", "Relay passes that failed")
READY = Gauge("spareline_ready", "1 while all probes of the service pass", ["service"])


def serve(host: str, port: int) -> Callable[[], Awaitable[None]]:
    """Serve the metrics over HTTP from a thread; await what is returned to end it.

    Raises OSError when the port is taken.
    """
    server, thread = start_http_server(port, addr=host)

    async def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

    return close
