"""The running market as the operator and as a partner platform, over the public gRPC API."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from services.chassis.grpc_client import channel
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1 import matching_service_pb2_grpc
from spareline.registry.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    ledger_service_pb2_grpc,
    registry_service_pb2_grpc,
)

IN_FLIGHT: Final = 16
_RENEW_SECONDS: Final = 120.0
REGION: Final = "US-KS"
"""The data tells no region; the centre of the recovered map lies in Kansas."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Access:
    """Where the market is, and the operator's way in."""

    registry: str
    matching: str
    operator_email: str
    operator_password: str


@dataclass(frozen=True)
class Stubs:
    """All services, called as one principal."""

    registry: registry_service_pb2_grpc.RegistryServiceAsyncStub
    ledger: ledger_service_pb2_grpc.LedgerServiceAsyncStub
    matching: matching_service_pb2_grpc.MatchingServiceAsyncStub


@dataclass(frozen=True)
class Market:
    """The market as seen by its operator and by the platform that brings the data."""

    operator: Stubs
    platform: Stubs
    run: str
    """A short id that keeps replays on one market apart."""


class _Tokens:
    """A person's token, issued anew before it ends."""

    def __init__(
        self,
        identity: identity_service_pb2_grpc.IdentityServiceAsyncStub,
        email: str,
        password: str,
    ) -> None:
        self._identity = identity
        self._grant = identity_service_pb2.PasswordGrant(email=email, password=password)
        self._answer = identity_service_pb2.IssueTokenResponse()
        self._one_at_a_time = asyncio.Lock()

    async def token(self) -> str:
        """The token."""
        async with self._one_at_a_time:
            if time.time() > self._answer.expire_time.seconds - _RENEW_SECONDS:
                request = identity_service_pb2.IssueTokenRequest(password=self._grant)
                self._answer = await self._identity.IssueToken(request)
            return self._answer.access_token


@asynccontextmanager
async def opened(access: Access) -> AsyncIterator[Market]:
    """Sign in as the operator and sign up a platform of this replay's own.

    Raises:
        grpc.aio.AioRpcError: nothing answers there, or the operator's password is wrong.
    """
    async with channel(access.registry) as anonymous:
        identity = identity_service_pb2_grpc.IdentityServiceStub(anonymous)
        operator = _Tokens(identity, access.operator_email, access.operator_password)
        await operator.token()
        run = secrets.token_hex(3)
        platform = await _signed_up(identity, run)
        async with (
            channel(access.registry, token=operator.token) as operator_registry,
            channel(access.matching, token=operator.token) as operator_matching,
            channel(access.registry, token=platform.token) as platform_registry,
            channel(access.matching, token=platform.token) as platform_matching,
        ):
            yield Market(
                _stubs(operator_registry, operator_matching),
                _stubs(platform_registry, platform_matching),
                run,
            )


async def _signed_up(
    identity: identity_service_pb2_grpc.IdentityServiceAsyncStub, run: str
) -> _Tokens:
    email, password = f"ppe-{run}@replay.example", secrets.token_urlsafe(24)
    platform = Organization(
        display_name=f"PPE replay {run}", kind=Organization.KIND_PLATFORM, region=REGION
    )
    await identity.SignUp(
        identity_service_pb2.SignUpRequest(
            organization_id=f"ppe-{run}",
            organization=platform,
            email=email,
            person="Replay",
            password=password,
            request_id=str(uuid.uuid4()),
        )
    )
    return _Tokens(identity, email, password)


def _stubs(registry: grpc.aio.Channel, matching: grpc.aio.Channel) -> Stubs:
    return Stubs(
        registry_service_pb2_grpc.RegistryServiceStub(registry),
        ledger_service_pb2_grpc.LedgerServiceStub(registry),
        matching_service_pb2_grpc.MatchingServiceStub(matching),
    )


async def all_of(
    call: Callable[[T], Awaitable[R]],
    items: Iterable[T],
    done: Callable[[], object],
    in_flight: int = IN_FLIGHT,
) -> Sequence[R]:
    """Call for every item with so many in flight; answers in the items' order.

    ``done`` is called after each. The first error ends them all.
    """
    gate = asyncio.Semaphore(in_flight)

    async def one(item: T) -> R:
        async with gate:
            answer = await call(item)
        done()
        return answer

    tasks: list[asyncio.Task[R]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
