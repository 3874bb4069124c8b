"""A real server and client with the guard between them, over loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from services.chassis import deadlines, errors, grpc_errors, logs
from services.chassis.grpc_client import _Preparation, _StreamUnary, channel
from services.chassis.grpc_wire import REQUEST_ID_KEY
from spareline.errors.v1 import cause_pb2, reason_pb2
from tests.contract.chassis.probe_server import (
    PLATFORM,
    SIGNER,
    A,
    B,
    as_caller,
    complete,
    failure,
    refusal,
    sent,
    token,
)
from tests.contract.chassis.probe_service import Probe, Stub


async def test_all_four_shapes_pass(stub: Any) -> None:
    assert (await stub.Open(Probe(number=7))).number == 7
    assert [p.number async for p in stub.Count(Probe(number=3))] == [0, 1, 2]
    probes = [Probe(number=n, organization=A) for n in (1, 2, 3)]
    assert (await stub.Sum(sent(*probes), metadata=as_caller(token()))).number == 6
    assert (await stub.Sum(probes, metadata=as_caller(token()))).number == 6
    assert [p.number async for p in stub.Echo(sent(Probe(number=4), Probe(number=5)))] == [4, 5]


async def test_what_the_messages_raise_reaches_the_caller(stub: Any) -> None:
    async def broken() -> AsyncIterator[Any]:
        yield Probe(number=1, organization=A)
        raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="the caller's own"):
        await stub.Sum(broken(), metadata=as_caller(token()))


async def test_a_call_that_grpc_breaks_off_is_away_and_one_that_the_caller_does_is_cancelled(
    address: str,
) -> None:
    """gRPC cancels a call by itself at times when the server dies; nobody here cancelled it."""
    calls: list[Any] = []

    class Watched(grpc.aio.StreamUnaryClientInterceptor):
        async def intercept_stream_unary(self, continuation: Any, *given: Any) -> Any:
            calls.append(await continuation(*given))
            return calls[-1]

    begun, never = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncIterator[Any]:
        yield Probe(number=1, organization=A)
        begun.set()
        await never.wait()

    interceptors = [_StreamUnary(_Preparation(None)), Watched()]
    async with grpc.aio.insecure_channel(address, interceptors=interceptors) as opened:
        first = asyncio.ensure_future(Stub(opened).Sum(endless(), metadata=as_caller(token())))
        await begun.wait()
        calls[0].cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        begun.clear()
        second = asyncio.ensure_future(Stub(opened).Sum(endless(), metadata=as_caller(token())))
        await begun.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second


async def test_a_refusal_carries_reason_violations_and_metadata(stub: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Open(Probe(text="refuse"))
    status = status_pb2.Status()
    details = dict(caught.value.trailing_metadata())
    status.ParseFromString(details["grpc-status-details-bin"])
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert [d.Is(info.DESCRIPTOR) for d in status.details] == [True, False]
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (info.reason, info.domain, info.metadata["k"]) == ("REASON_NOT_OPEN", "spareline", "v")
    assert info.metadata["request_id"] == details[REQUEST_ID_KEY]
    assert bad.field_violations[0].description == "It is odd. Make it even"
    back = grpc_errors.from_rpc_error(caught.value)
    assert isinstance(back, errors.FailedPrecondition)
    assert (back.reason, back.message) == (reason_pb2.REASON_NOT_OPEN, "refused")


@pytest.mark.parametrize("call", ["Open", "Count"])
async def test_a_crash_tells_nothing_but_a_request_id(
    stub: Any, call: str, capturing_logs: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json")
    failed = await failure(getattr(stub, call)(Probe(text="crash")))
    assert "secret detail" not in str(failed)
    error = grpc_errors.from_rpc_error(failed)
    assert isinstance(error, errors.Internal)
    assert error.reason == reason_pb2.REASON_INTERNAL
    logged = capturing_logs.readouterr().out
    assert "a secret detail" in logged
    assert "Traceback" in logged
    assert error.metadata["request_id"] in logged


async def test_errors_inside_streams_map_the_same_way(stub: Any) -> None:
    call = stub.Count(Probe(number=2, text="refuse"))
    got: list[Any] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await complete(call, got)
    assert [probe.number for probe in got] == [0, 1]
    assert isinstance(grpc_errors.from_rpc_error(caught.value), errors.NotFound)
    error = await refusal(stub.Echo(sent(Probe(number=1), Probe(text="refuse"))))
    assert isinstance(error, errors.Aborted)


async def test_each_message_of_a_stream_is_validated(stub: Any) -> None:
    probes = [Probe(number=1, organization=A), Probe(number=-1)]
    error = await refusal(stub.Sum(sent(*probes), metadata=as_caller(token())))
    assert (type(error), error.reason) == (
        errors.InvalidArgument,
        reason_pb2.REASON_FIELD_INVALID,
    )
    assert [v.field for v in error.violations] == ["number"]


async def test_a_broken_field_rule_names_field_and_mend(stub: Any) -> None:
    error = await refusal(stub.Open(Probe(number=-5)))
    [violation] = error.violations
    assert violation.field == "number"
    assert violation.said.cause == cause_pb2.CAUSE_TOO_SMALL
    assert "below 0. Give 0 or more" in violation.description


@pytest.mark.parametrize(
    ("method", "who", "organization", "reason"),
    [
        ("Anyone", "", A, reason_pb2.REASON_UNAUTHENTICATED),
        ("Anyone", token(role="viewer"), A, 0),
        ("Mine", token(), A, 0),
        ("Mine", token(), A + "/offers/x", 0),
        ("Mine", token(role="viewer"), A, reason_pb2.REASON_ROLE_MISSING),
        ("Mine", token(), B, reason_pb2.REASON_ORGANIZATION_FORBIDDEN),
        ("Mine", token(), A + "2", reason_pb2.REASON_ORGANIZATION_FORBIDDEN),
        ("Mine", token(), "", reason_pb2.REASON_FIELD_INVALID),
        ("Mine", token(), "rounds/1", reason_pb2.REASON_FIELD_INVALID),
        ("Mine", token("organizations/op", "operator"), B, 0),
        ("Mine", token("", "service"), B, reason_pb2.REASON_ROLE_MISSING),
        ("Change", token("organizations/op", "operator"), B, reason_pb2.REASON_ROLE_MISSING),
        ("Change", token(PLATFORM), A, 0),
        ("Change", token(PLATFORM), B, reason_pb2.REASON_ORGANIZATION_FORBIDDEN),
        ("Change", token(scopes=("read",)), A, reason_pb2.REASON_SCOPE_MISSING),
        ("Change", token()[:-4] + "AAAA", A, reason_pb2.REASON_UNAUTHENTICATED),
    ],
)
async def test_access(stub: Any, method: str, who: str, organization: str, reason: int) -> None:
    call = getattr(stub, method)(
        Probe(organization=organization), metadata=as_caller(who) if who else ()
    )
    if reason:
        assert (await refusal(call)).reason == reason
    else:
        await call


async def test_the_first_message_of_a_stream_decides_the_organization(stub: Any) -> None:
    error = await refusal(stub.Sum(sent(Probe(organization=B)), metadata=as_caller(token())))
    assert error.reason == reason_pb2.REASON_ORGANIZATION_FORBIDDEN


async def test_an_expired_token(stub: Any) -> None:
    old = SIGNER.sign(
        {"sub": A + "/members/m", "org": A, "role": "owner", "scopes": []}, timedelta(seconds=-60)
    )
    error = await refusal(stub.Mine(Probe(organization=A), metadata=as_caller(old)))
    assert error.reason == reason_pb2.REASON_TOKEN_EXPIRED
    # On a public method it is as if none had been sent: signing in again must work.
    assert (await stub.Open(Probe(text="who"), metadata=as_caller(old))).text == ""


async def test_a_channel_sends_its_token(address: str) -> None:
    async def source() -> str:
        return token(B)

    async with channel(address, token=source) as opened:
        assert (await Stub(opened).Mine(Probe(organization=B))).text == B


async def test_the_request_id_travels(stub: Any) -> None:
    given = logs.request_id.set("request-0001")
    try:
        assert (await stub.Open(Probe(text="request id"))).text == "request-0001"
    finally:
        logs.request_id.reset(given)
    forged = await stub.Open(Probe(text="request id"), metadata=((REQUEST_ID_KEY, "x y"),))
    assert forged.text not in ("", "x y")


async def test_deadlines_shrink_at_each_hop(stub: Any) -> None:
    left = (await stub.Open(Probe(text="time"))).number
    assert 10_000 < left <= 15_000  # the default of a unary call
    noted = deadlines.start(2.0)
    try:
        assert (await stub.Open(Probe(text="time"))).number < 2_000
        assert (await stub.Open(Probe(text="time"), timeout=1)).number < 1_100  # gRPC rounds up
    finally:
        deadlines.end(noted)


async def test_a_deadline_that_passes_is_unavailable(stub: Any) -> None:
    error = await refusal(stub.Open(Probe(text="slow"), timeout=0.2))
    assert isinstance(error, errors.Unavailable)
    assert error.reason == reason_pb2.REASON_UNAVAILABLE


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with channel("127.0.0.1:1") as nowhere:
        error = await refusal(Stub(nowhere).Open(Probe()))
    assert isinstance(error, errors.Unavailable)
