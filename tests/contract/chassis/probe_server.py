"""The probe service's servicer, its tokens and delegation, and ways to call it in a test."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from services.chassis import access, deadlines, errors, grpc_errors, logs
from services.chassis.causes import Said
from services.chassis.tokens import TokenSigner, TokenVerifier
from spareline.errors.v1 import reason_pb2
from tests.contract.chassis.probe_service import Probe

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
            wrong = errors.Violation("number", Said("It is odd", "Make it even"))
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


def as_caller(value: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {value}"),)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call of any shape ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await complete(call)
    return caught.value


async def complete(call: Any, into: list[Any] | None = None) -> None:
    """Wait for a call of any shape, collecting what it streams."""
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
