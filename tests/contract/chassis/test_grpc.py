"""A real server and client with the guard between them, over loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis import access, deadlines, errors, grpc_errors, logs
from services.chassis.app import App
from services.chassis.grpc_client import channel
from services.chassis.grpc_guard import REQUEST_ID_KEY
from services.chassis.grpc_server import grpc_server
from services.chassis.tokens import TokenSigner, TokenVerifier
from spareline.errors.v1 import reason_pb2
from spareline.options.v1 import options_pb2
from tests.contract.chassis.probe_service import (
    DESCRIPTOR,
    SERVICE,
    Probe,
    Stub,
    add_to_server,
    service_descriptor,
)

SIGNER = TokenSigner.generate()
A, B, PLATFORM = "organizations/a", "organizations/b", "organizations/platform"


def token(
    organization: str = A, role: str = "owner", scopes: tuple[str, ...] = ("read", "write")
) -> str:
    claims = {
        "sub": f"{organization}/members/m" if organization else "services/matching",
        "org": organization,
        "role": role,
        "scopes": list(scopes),
    }
    return SIGNER.sign(claims, timedelta(minutes=15))


class Servicer:
    """Answers with what it saw; ``text`` chooses how it fails."""

    async def Open(self, request: Any, context: Any) -> Any:
        if request.text == "refuse":
            wrong = errors.Violation("number", "It is odd", "Make it even")
            raise errors.FailedPrecondition(
                reason_pb2.REASON_NOT_OPEN, "refused", violations=[wrong], metadata={"k": "v"}
            )
        if request.text == "crash":
            raise RuntimeError("a secret detail")
        if request.text == "slow":
            await asyncio.sleep(30)
        if request.text == "who":
            return Probe(text=access.current().subject)
        if request.text == "request id":
            return Probe(text=logs.request_id.get())
        if request.text == "time":
            return Probe(number=int((deadlines.remaining() or -1) * 1000))
        return Probe(number=request.number)

    async def Mine(self, request: Any, context: Any) -> Any:
        return Probe(text=access.current().organization)

    Change = Anyone = Mine

    async def Count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(request.number):
            yield Probe(number=number)
        if request.text == "refuse":
            raise errors.NotFound(reason_pb2.REASON_NOT_FOUND, "no more")
        if request.text == "crash":
            raise RuntimeError("a secret detail")

    async def Sum(self, requests: AsyncIterator[Any], context: Any) -> Any:
        total = 0
        async for request in requests:
            total += request.number
        return Probe(number=total)

    async def Echo(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request.text == "refuse":
                raise errors.Aborted(reason_pb2.REASON_CONFLICT, "again")
            yield request


async def delegated(platform: str, organization: str) -> bool:
    return (platform, organization) == (PLATFORM, A)


def verifier() -> TokenVerifier:
    async def jwks() -> str:
        return SIGNER.jwks_json()

    return TokenVerifier(jwks)


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with App("probe", drain_seconds=1) as running:
        yield running


@pytest.fixture
async def address(app: App) -> str:
    servicer = (DESCRIPTOR, add_to_server, Servicer())
    port = await grpc_server(app, "127.0.0.1", 0, [servicer], verifier(), delegated)
    return f"127.0.0.1:{port}"


@pytest.fixture
async def stub(address: str) -> AsyncIterator[Any]:
    async with channel(address) as opened:
        yield Stub(opened)


def as_caller(value: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {value}"),)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call of any shape ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _complete(call)
    return caught.value


async def _complete(call: Any, into: list[Any] | None = None) -> None:
    if not hasattr(call, "__aiter__"):
        await call
        return
    async for message in call:
        if into is not None:
            into.append(message)


async def refusal(call: Any) -> errors.DomainError:
    """The domain error that a call of any shape ends with."""
    return grpc_errors.from_rpc_error(await failure(call))


def sent(*probes: Any) -> AsyncIterator[Any]:
    async def stream() -> AsyncIterator[Any]:
        for probe in probes:
            yield probe

    return stream()


async def test_all_four_shapes_pass(stub: Any) -> None:
    assert (await stub.Open(Probe(number=7))).number == 7
    assert [p.number async for p in stub.Count(Probe(number=3))] == [0, 1, 2]
    probes = [Probe(number=n, organization=A) for n in (1, 2, 3)]
    assert (await stub.Sum(sent(*probes), metadata=as_caller(token()))).number == 6
    assert [p.number async for p in stub.Echo(sent(Probe(number=4), Probe(number=5)))] == [4, 5]


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
    stub: Any, call: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", "json")
    failed = await failure(getattr(stub, call)(Probe(text="crash")))
    assert "secret detail" not in str(failed)
    error = grpc_errors.from_rpc_error(failed)
    assert isinstance(error, errors.Internal)
    assert error.reason == reason_pb2.REASON_INTERNAL
    logged = capsys.readouterr().out
    assert "a secret detail" in logged
    assert "Traceback" in logged
    assert error.metadata["request_id"] in logged


async def test_errors_inside_streams_map_the_same_way(stub: Any) -> None:
    call = stub.Count(Probe(number=2, text="refuse"))
    got: list[Any] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _complete(call, got)
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
    assert "greater than or equal to 0" in violation.description


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
        assert (await stub.Open(Probe(text="time"), timeout=1)).number < 1_000
    finally:
        deadlines.end(noted)


async def test_a_deadline_that_passes_is_unavailable(stub: Any) -> None:
    error = await refusal(stub.Open(Probe(text="slow"), timeout=0.2))
    assert isinstance(error, errors.Unavailable)
    assert error.reason == reason_pb2.REASON_UNAVAILABLE


async def test_a_call_before_the_server_is_up_is_retried(app: App) -> None:
    async with channel("127.0.0.1:1") as nowhere:
        error = await refusal(Stub(nowhere).Open(Probe()))
    assert isinstance(error, errors.Unavailable)


async def test_health_follows_the_probes(app: App, address: str) -> None:
    away = False

    async def check() -> None:
        if away:
            raise ConnectionError

    app.probe("thing", check)
    async with grpc.aio.insecure_channel(address) as opened:
        stub = health_pb2_grpc.HealthStub(opened)
        for away in (False, True, False):
            await app.health.check()
            for name in ("", SERVICE):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
                expected = "NOT_SERVING" if away else "SERVING"
                assert health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) == expected


async def test_a_method_without_a_rule_is_refused_at_start(app: App) -> None:
    rules: Any = {
        "Guarded": (False, False, options_pb2.Access(public=True)),
        "Forgotten": (False, False, None),
        "Misnamed": (False, False, options_pb2.Access(organization_field="nothing")),
        "Mistaken": (False, False, options_pb2.Access(roles=["boss"])),
    }
    descriptor = service_descriptor("spareline.probe.unguarded.v1", rules)
    with pytest.raises(ValueError, match=r"Forgotten.*Misnamed.*Mistaken") as caught:
        await grpc_server(app, "127.0.0.1", 0, [(descriptor, print, None)], verifier(), delegated)
    assert "Guarded" not in str(caught.value)


async def test_a_taken_port_is_an_error(app: App, address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="taken"):
        await grpc_server(app, "127.0.0.1", port, [], verifier(), delegated)


async def test_a_call_under_way_ends_before_the_app_does() -> None:
    started = asyncio.Event()

    class Slow(Servicer):
        async def Open(self, request: Any, context: Any) -> Any:
            started.set()
            await asyncio.sleep(0.5)
            return Probe(number=1)

    closed: list[str] = []

    async def close() -> None:
        closed.append("store")

    async with App("draining", drain_seconds=5) as app:
        servicer = (DESCRIPTOR, add_to_server, Slow())
        port = await grpc_server(app, "127.0.0.1", 0, [servicer], verifier(), delegated)
        app.push(close)  # opened after the server, and still closed after the drain
        opened = channel(f"127.0.0.1:{port}")
        call = asyncio.ensure_future(_await(Stub(opened).Open(Probe())))
        await started.wait()
        call.add_done_callback(lambda _: closed.append("call"))
    assert (await call).number == 1
    assert closed == ["call", "store"]
    await opened.close()


async def _await(call: Any) -> Any:
    return await call
