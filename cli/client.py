"""The market's two services as one client, opened for the length of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cli.session import KeyTokens, NoTokens, SessionTokens, Tokens, session_file
from services.chassis.grpc_client import channel
from spareline.matching.v1 import matching_service_pb2_grpc
from spareline.registry.v1 import (
    dead_letter_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    ledger_service_pb2_grpc,
    registry_service_pb2_grpc,
)


@dataclass(frozen=True)
class Settings:
    """Where the market is, and the API key if one was given."""

    registry: str
    matching: str
    key: str


@dataclass(frozen=True)
class Client:
    """Stubs of all services. A refused call raises `grpc.aio.AioRpcError`."""

    identity: identity_service_pb2_grpc.IdentityServiceAsyncStub
    registry: registry_service_pb2_grpc.RegistryServiceAsyncStub
    ledger: ledger_service_pb2_grpc.LedgerServiceAsyncStub
    dead_letters: dead_letter_service_pb2_grpc.DeadLetterServiceAsyncStub
    matching: matching_service_pb2_grpc.MatchingServiceAsyncStub

    async def who(self) -> identity_service_pb2.WhoAmIResponse:
        """Who the caller is."""
        return await self.identity.WhoAmI(identity_service_pb2.WhoAmIRequest())

    async def party(self, chosen: str) -> str:
        """The party to act for: the one chosen, else one's own; empty for an operator."""
        if chosen:
            return organization_name(chosen)
        caller = await self.who()
        return "" if caller.role == "operator" else caller.organization


def organization_name(text: str) -> str:
    """`acme` or `organizations/acme` as a resource name."""
    return text if text.startswith("organizations/") else f"organizations/{text}"


def round_name(text: str) -> str:
    """`r1` or `rounds/r1` as a resource name."""
    return text if text.startswith("rounds/") else f"rounds/{text}"


def policy_name(text: str) -> str:
    """`standard` or `policies/standard` as a resource name; nothing stays nothing."""
    return text if not text or text.startswith("policies/") else f"policies/{text}"


@asynccontextmanager
async def connected(settings: Settings, *, signed_in: bool = True) -> AsyncIterator[Client]:
    """A client with the key's or the session's token; without any when not `signed_in`.

    Raises:
        NotSignedIn: on the first call, when there is neither a key nor a session.
    """
    async with channel(settings.registry) as anonymous:
        identity = identity_service_pb2_grpc.IdentityServiceStub(anonymous)
        tokens: Tokens
        if not signed_in:
            tokens = NoTokens()
        elif settings.key:
            tokens = KeyTokens(identity, settings.key)
        else:
            tokens = SessionTokens(identity, session_file(), settings.registry)
        async with (
            channel(settings.registry, token=tokens.token) as registry,
            channel(settings.matching, token=tokens.token) as matching,
        ):
            yield Client(
                identity_service_pb2_grpc.IdentityServiceStub(registry),
                registry_service_pb2_grpc.RegistryServiceStub(registry),
                ledger_service_pb2_grpc.LedgerServiceStub(registry),
                dead_letter_service_pb2_grpc.DeadLetterServiceStub(registry),
                matching_service_pb2_grpc.MatchingServiceStub(matching),
            )
