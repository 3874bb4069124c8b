"""Channels to other services: retries, keepalive, request id, token and a deadline per call."""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import grpc

from services.chassis import deadlines, logs, traces
from services.chassis.cancelling import still_wanted
from services.chassis.grpc_wire import MESSAGE_BYTES, REQUEST_ID_KEY

DEFAULT_SECONDS = 15.0

TokenSource = Callable[[], Awaitable[str]]
T = TypeVar("T")

_SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                # Safe for mutations too: they are idempotent by their request id.
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
)


def channel(address: str, *, token: TokenSource | None = None) -> grpc.aio.Channel:
    """Open a channel to ``host:port``; it connects on the first call and again when cut off.

    ``token`` is awaited for each call and sent as a bearer token when not empty. A unary
    call gets 15 s unless it names a timeout; any call gets no more than what is left of the
    call being answered.
    """
    prepare = _Preparation(token)
    return grpc.aio.insecure_channel(
        address,
        options=list(_OPTIONS),
        interceptors=[
            *traces.client_interceptors(),
            _UnaryUnary(prepare),
            _UnaryStream(prepare),
            _StreamUnary(prepare),
            _StreamStream(prepare),
        ],
    )


class _Preparation:
    """Adds to the details of an outgoing call what every call carries."""

    def __init__(self, token: TokenSource | None) -> None:
        self._token = token

    async def __call__(
        self, details: grpc.aio.ClientCallDetails, default_seconds: float | None
    ) -> grpc.aio.ClientCallDetails:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        request_id = logs.request_id.get()
        if request_id and not metadata.get_all(REQUEST_ID_KEY):
            metadata.add(REQUEST_ID_KEY, request_id)
        if self._token is not None and not metadata.get_all("authorization"):
            token = await self._token()
            if token:
                metadata.add("authorization", f"Bearer {token}")
        wanted = default_seconds if details.timeout is None else details.timeout
        return grpc.aio.ClientCallDetails(
            details.method,
            deadlines.shorten(wanted),
            metadata,
            details.credentials,
            details.wait_for_ready,
        )


# gRPC files an interceptor under the first shape that it implements: hence one class each.
class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, prepare: _Preparation) -> None:
        self._prepare = prepare

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        details = await self._prepare(client_call_details, DEFAULT_SECONDS)
        return await continuation(details, request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, prepare: _Preparation) -> None:
        self._prepare = prepare

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(await self._prepare(client_call_details, None), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, prepare: _Preparation) -> None:
        self._prepare = prepare

    async def intercept_stream_unary(
        self,
        continuation: Any,
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        details = await self._prepare(client_call_details, None)
        faults: list[Exception] = []
        call = await continuation(details, _noting(request_iterator, faults))
        try:
            await call
        except asyncio.CancelledError as error:
            # gRPC cancels the call by itself when the messages end in an exception, and now and
            # then when the server dies while one is sent.
            still_wanted()
            if faults:
                raise faults[0] from error
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.UNAVAILABLE,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                "the connection broke off while messages were sent",
            ) from error
        return call


async def _noting(
    messages: AsyncIterable[T] | Iterable[T], faults: list[Exception]
) -> AsyncIterator[T]:
    """Yield the messages; what they raise goes to ``faults`` too, as gRPC keeps it to itself."""
    try:
        if isinstance(messages, AsyncIterable):
            async for message in messages:
                yield message
        else:
            for message in messages:
                yield message
    except Exception as error:
        faults.append(error)
        raise


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, prepare: _Preparation) -> None:
        self._prepare = prepare

    async def intercept_stream_stream(
        self,
        continuation: Any,
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        details = await self._prepare(client_call_details, None)
        return await continuation(details, request_iterator)
