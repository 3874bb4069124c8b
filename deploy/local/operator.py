"""Acting as the market's operator through the same gRPC API that everybody uses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc.aio

from services.chassis.grpc_client import channel
from services.chassis.paging import pages
from spareline.market.v1 import organization_pb2
from spareline.matching.v1 import (
    matching_service_pb2,
    matching_service_pb2_grpc,
    proposal_pb2,
    round_pb2,
)
from spareline.registry.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)

_RENEW_SECONDS: Final = 60.0
_PAGE: Final = 1000
_ROUND_ENDED: Final = (
    round_pb2.Round.STATE_COMPLETED,
    round_pb2.Round.STATE_CANCELLED,
    round_pb2.Round.STATE_FAILED,
)


class _Session:
    """A token that is fetched when needed and renewed before it ends."""

    def __init__(self, registry: grpc.aio.Channel, email: str, password: str) -> None:
        self._identity = identity_service_pb2_grpc.IdentityServiceStub(registry)
        self._grant = identity_service_pb2.PasswordGrant(email=email, password=password)
        self._token = ""
        self._ends = 0.0

    async def token(self) -> str:
        if time.time() > self._ends - _RENEW_SECONDS:
            request = identity_service_pb2.IssueTokenRequest(password=self._grant)
            answer = await self._identity.IssueToken(request)
            self._token = answer.access_token
            self._ends = answer.expire_time.seconds
        return self._token


@dataclass(frozen=True)
class Operator:
    """What the launcher asks of the market. Every call raises `grpc.RpcError` when refused."""

    registry: registry_service_pb2_grpc.RegistryServiceAsyncStub
    matching: matching_service_pb2_grpc.MatchingServiceAsyncStub

    async def market_is_empty(self) -> bool:
        """Whether nobody but the operator is in the market."""
        request = registry_service_pb2.ListOrganizationsRequest(page_size=10)
        answer = await self.registry.ListOrganizations(request)
        operator = organization_pb2.Organization.KIND_OPERATOR
        return all(found.kind == operator for found in answer.organizations)

    async def book(self) -> matching_service_pb2.BookSummary:
        """How far matching has taken in what was posted."""
        return await self.matching.GetBook(matching_service_pb2.GetBookRequest(with_digest=True))

    async def run_round(self, request_id: str) -> str:
        """Ask for a round; returns its name. A repeat with the same id asks for no second one."""
        request = matching_service_pb2.RunRoundRequest(request_id=request_id)
        operation = await self.matching.RunRound(request)
        asked = round_pb2.Round()
        if operation.metadata.Unpack(asked) and asked.name:
            return asked.name
        return f"rounds/{operation.name.rpartition('/')[2]}"

    async def follow_round(self, name: str) -> AsyncIterator[round_pb2.Round]:
        """The round as it goes on; the last one has ended."""
        request = matching_service_pb2.WatchRoundRequest(name=name)
        async for state in self.matching.WatchRound(request):
            yield state
            if state.state in _ROUND_ENDED:
                return

    async def latest_round(self) -> round_pb2.Round | None:
        """The newest completed round, if there was one."""
        request = matching_service_pb2.ListRoundsRequest(page_size=20)
        answer = await self.matching.ListRounds(request)
        done = (found for found in answer.rounds if found.state == round_pb2.Round.STATE_COMPLETED)
        return next(done, None)

    async def capability_names(self) -> dict[str, str]:
        """What people call each capability in English, by its code."""
        names: dict[str, str] = {}
        request = registry_service_pb2.ListCapabilitiesRequest()
        async for page in pages(self.registry.ListCapabilities, request):
            names.update((found.code, found.display_name.en) for found in page.capabilities)
        return names

    async def proposals(self, round_name: str) -> Sequence[proposal_pb2.Proposal]:
        """The first page of a round's proposals."""
        request = matching_service_pb2.ListProposalsRequest(parent=round_name, page_size=_PAGE)
        return (await self.matching.ListProposals(request)).proposals


@asynccontextmanager
async def operator(
    registry_address: str, matching_address: str, email: str, password: str
) -> AsyncIterator[Operator]:
    """An operator who signs in when the first call needs it."""
    async with channel(registry_address) as anonymous:
        session = _Session(anonymous, email, password)
        async with (
            channel(registry_address, token=session.token) as registry,
            channel(matching_address, token=session.token) as matching,
        ):
            yield Operator(
                registry_service_pb2_grpc.RegistryServiceStub(registry),
                matching_service_pb2_grpc.MatchingServiceStub(matching),
            )
