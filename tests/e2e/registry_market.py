"""A registry that runs in this process on real servers, and callers with their own tokens."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import grpc_errors
from services.chassis.app import App
from services.chassis.errors import DomainError
from services.chassis.grpc_client import channel
from services.registry.app import Registry, build
from services.registry.domain.passwords import Cost
from services.registry.domain.taxonomy import load_taxonomy
from services.registry.settings import RegistrySettings
from spareline.market.v1.demand_pb2 import Demand, Line, Window
from spareline.market.v1.offer_pb2 import Offer, PeriodQuantity
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
)

PASSWORD = "correct horse battery staple"
SECRET = "a-secret-of-matching"
FREE = next(
    each.code
    for each in load_taxonomy()
    if not any(a.required_in_offer for a in each.attributes.values())
)
"""A capability that asks no attribute of an offer."""

MILLING = "production.machining.milling"


class Caller:
    """Stubs that speak for one principal."""

    def __init__(self, port: int) -> None:
        self.token = ""
        self.organization = ""
        self.channel = channel(f"127.0.0.1:{port}", token=self._token)
        stubs: Any = registry_service_pb2_grpc.RegistryServiceStub(self.channel)
        self.registry = stubs
        self.ledger: Any = ledger_service_pb2_grpc.LedgerServiceStub(self.channel)
        self.identity: Any = identity_service_pb2_grpc.IdentityServiceStub(self.channel)

    async def _token(self) -> str:
        return self.token


@dataclass
class Market:
    """The running registry, and who takes part."""

    running: Registry
    callers: list[Caller] = field(default_factory=list)

    def stranger(self) -> Caller:
        caller = Caller(self.running.port)
        self.callers.append(caller)
        return caller

    async def sme(
        self,
        identity: str,
        kind: "Organization.Kind.ValueType" = Organization.KIND_SME,
        **more: Any,
    ) -> Caller:
        caller = self.stranger()
        more.setdefault("region", "CN-ZJ")
        await caller.identity.SignUp(
            identity_service_pb2.SignUpRequest(
                organization_id=identity,
                organization=Organization(display_name=identity, kind=kind, **more),
                email=f"owner@{identity}.example",
                person="Owner",
                password=PASSWORD,
            )
        )
        return await self._signed_in(caller, f"owner@{identity}.example")

    async def operator(self) -> Caller:
        return await self._signed_in(self.stranger(), "operator@market.example")

    async def _signed_in(self, caller: Caller, email: str) -> Caller:
        grant = identity_service_pb2.PasswordGrant(email=email, password=PASSWORD)
        answer = await caller.identity.IssueToken(
            identity_service_pb2.IssueTokenRequest(password=grant)
        )
        caller.token = answer.access_token
        caller.organization = answer.principal.organization
        return caller

    async def matching(self) -> Caller:
        caller = self.stranger()
        grant = identity_service_pb2.ServiceGrant(service="matching", secret=SECRET)
        answer = await caller.identity.IssueToken(
            identity_service_pb2.IssueTokenRequest(service=grant)
        )
        caller.token = answer.access_token
        return caller


@asynccontextmanager
async def running_market(
    mongo_url: str, nats_url: str, database: str, folder: Path
) -> AsyncIterator[Market]:
    settings = RegistrySettings(
        mongo_url=mongo_url,
        mongo_database=database,
        nats_url=nats_url,
        grpc_port=0,
        signing_key_file=folder / "key.json",
        service_secrets=f"matching={SECRET}",  # type: ignore[arg-type]
        operator_email="operator@market.example",
        operator_password=PASSWORD,  # type: ignore[arg-type]
    )
    async with App("registry", drain_seconds=1) as app:
        registry = await build(
            app, settings, password_cost=Cost(1, 64, 1), attempts_per_minute=10_000
        )
        await app.health.wait_ready()
        market = Market(registry)
        try:
            yield market
        finally:
            for caller in market.callers:
                await caller.channel.close()


async def refused(call: Any) -> DomainError:
    """Return the error that a call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return grpc_errors.from_rpc_error(error)
    raise AssertionError("the call was not refused")


async def check_ledger(matching: Caller) -> ledger_service_pb2.CheckLedgerResponse:
    """Recompute the invariant of the ledger."""
    report: ledger_service_pb2.CheckLedgerResponse = await matching.ledger.CheckLedger(
        ledger_service_pb2.CheckLedgerRequest()
    )
    return report


def offer(title: str = "Spare hours", capacity: int = 40, **more: Any) -> Offer:
    more.setdefault("capability", FREE)
    weeks = more.pop("weeks", ("2026-W50", "2026-W51"))
    amounts = [PeriodQuantity(period=week, quantity=capacity) for week in weeks]
    more.setdefault("unit_price", 5000)
    return Offer(title=title, capacity=amounts, **more)


def demand(title: str = "Some parts", quantity: int = 30, **more: Any) -> Demand:
    line = Line(
        id="part",
        capability=more.pop("capability", FREE),
        quantity=quantity,
        window=Window(earliest="2026-W50", latest="2026-W51"),
        limit_price=6000,
    )
    return Demand(title=title, lines=[line], **more)


def claim(name: str, demand_name: str, *legs: tuple[str, str, int], version: int = 1) -> Any:
    """Return a claim of (offer, period, quantity) each, that ends in an hour."""
    end = Timestamp()
    end.FromSeconds(int(time.time()) + 3600)
    return ledger_service_pb2.Claim(
        claim=name,
        demand=demand_name,
        version=version,
        expire_time=end,
        legs=[
            ledger_service_pb2.ClaimLeg(offer=o, line="part", period=week, quantity=n)
            for o, week, n in legs
        ],
    )


def create_offer(caller: Caller, posting: Offer, **more: Any) -> Any:
    return caller.registry.CreateOffer(
        registry_service_pb2.CreateOfferRequest(parent=caller.organization, offer=posting, **more)
    )


def create_demand(caller: Caller, posting: Demand, **more: Any) -> Any:
    return caller.registry.CreateDemand(
        registry_service_pb2.CreateDemandRequest(parent=caller.organization, demand=posting, **more)
    )
