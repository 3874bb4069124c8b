"""The identity half, served over real gRPC on the real store."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import pytest_asyncio

from services.chassis.app import App
from services.chassis.grpc_errors import from_rpc_error
from services.chassis.grpc_server import Servicer, grpc_server
from services.chassis.mongo import Database
from services.chassis.tokens import TokenSigner, TokenVerifier
from services.registry.domain.instants import now_ms
from services.registry.domain.organizations import Relation
from services.registry.domain.passwords import Cost
from services.registry.grpc_api.calendar_servicer import CalendarServicer
from services.registry.grpc_api.identity_servicer import IdentityServicer
from services.registry.grpc_api.organization_handlers import OrganizationHandlers
from services.registry.identity_parts import Identity, IdentityOptions, open_identity
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import (
    calendar_service_pb2,
    calendar_service_pb2_grpc,
    identity_service_pb2,
    identity_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)

KIND_SME = Organization.KIND_SME
CHEAP = Cost(passes=1, memory_kib=64)
PASSWORD = "correct horse battery"
SERVICE_SECRET = "a secret of matching"


class RegistryServicer(OrganizationHandlers, registry_service_pb2_grpc.RegistryServiceServicer):
    """The organization methods alone."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity


class HandClock:
    """The real clock, which a test can set forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@dataclass
class Ledger:
    """What the other half would say."""

    relation: Relation = "none"
    open: int = 0
    withdrawn: list[str] = field(default_factory=list)

    async def relations(self, reader: str, organization: str) -> Relation:
        return self.relation

    async def open_commitments(self, organization: str) -> int:
        return self.open

    async def withdraw_postings(self, organization: str) -> None:
        self.withdrawn.append(organization)


class Person:
    """Somebody with a token, and stubs that send it."""

    def __init__(self, address: str, token: str, refresh: str = "", name: str = "") -> None:
        self.token, self.refresh, self.name = token, refresh, name
        self.organization = "/".join(name.split("/")[:2])
        self.channel = grpc.aio.insecure_channel(address, interceptors=[_Bearer(token)])
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(self.channel)
        self.calendars = calendar_service_pb2_grpc.CalendarServiceStub(self.channel)
        self.registry = registry_service_pb2_grpc.RegistryServiceStub(self.channel)


class _Bearer(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(self, continuation, details, request):  # type: ignore[no-untyped-def]
        if self._token:
            metadata = [*(details.metadata or ()), ("authorization", f"Bearer {self._token}")]
            details = details._replace(metadata=metadata)
        try:
            return await (await continuation(details, request))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


class Served:
    """The running service, and a way to get people into it."""

    def __init__(
        self, address: str, identity: Identity, ledger: Ledger, clock: "HandClock"
    ) -> None:
        self.clock = clock
        self.address, self.identity, self.ledger = address, identity, ledger
        self.anyone = Person(address, "")
        self._people = [self.anyone]
        self._numbers = itertools.count(1)

    def with_token(self, token: str, refresh: str = "", name: str = "") -> Person:
        person = Person(self.address, token, refresh, name)
        self._people.append(person)
        return person

    async def sign_in(self, email: str, password: str = PASSWORD) -> Person:
        grant = identity_service_pb2.PasswordGrant(email=email, password=password)
        answer = await self.anyone.identity.IssueToken(
            identity_service_pb2.IssueTokenRequest(password=grant)
        )
        return self.with_token(answer.access_token, answer.refresh_token, answer.principal.subject)

    async def owner(
        self,
        display_name: str = "Acme",
        kind: "Organization.Kind.ValueType" = KIND_SME,
        **fields: object,
    ) -> Person:
        """Sign up an organization and return its owner, signed in."""
        email = f"owner{next(self._numbers)}@example.com"
        organization = Organization(
            display_name=display_name,
            kind=kind,
            region="CN-ZJ",
            **fields,  # type: ignore[arg-type]
        )
        await self.anyone.identity.SignUp(
            identity_service_pb2.SignUpRequest(
                organization=organization, email=email, person="An Owner", password=PASSWORD
            )
        )
        return await self.sign_in(email)

    async def operator(self) -> Person:
        await self.identity.sign_up.ensure_operator("operator@example.com", PASSWORD)
        return await self.sign_in("operator@example.com")

    async def close(self) -> None:
        for person in self._people:
            await person.channel.close()


@pytest_asyncio.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    ledger = Ledger()
    clock = HandClock()
    options = IdentityOptions({"matching": SERVICE_SECRET}, CHEAP)
    async with App("identity", drain_seconds=0.1) as app:
        identity = await app.enter(
            open_identity(
                database,
                TokenSigner.generate(),
                options,
                open_commitments=ledger.open_commitments,
                withdraw_postings=ledger.withdraw_postings,
                relations=ledger.relations,
                clock=clock,
            )
        )
        services: list[Servicer] = [
            (
                identity_service_pb2.DESCRIPTOR.services_by_name["IdentityService"],
                identity_service_pb2_grpc.add_IdentityServiceServicer_to_server,
                IdentityServicer(identity),
            ),
            (
                calendar_service_pb2.DESCRIPTOR.services_by_name["CalendarService"],
                calendar_service_pb2_grpc.add_CalendarServiceServicer_to_server,
                CalendarServicer(identity.calendar_feeds),
            ),
            (
                registry_service_pb2.DESCRIPTOR.services_by_name["RegistryService"],
                registry_service_pb2_grpc.add_RegistryServiceServicer_to_server,
                RegistryServicer(identity),  # type: ignore[abstract]
            ),
        ]
        verifier = TokenVerifier(identity.tokens.fetch)
        delegations = identity.organizations.is_delegate
        port = await grpc_server(
            app,
            "127.0.0.1",
            0,
            services,
            verifier,
            delegations,
            recorder=identity.audit.changed,
        )
        running = Served(f"127.0.0.1:{port}", identity, ledger, clock)
        yield running
        await running.close()
