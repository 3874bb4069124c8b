"""Every kind of caller, each with a channel to every service, called by descriptor."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.chassis import grpc_client, grpc_errors
from services.chassis.errors import Internal
from services.chassis.grpc_errors import reason_name
from spareline.market.v1 import organization_pb2
from spareline.registry.v1 import calendar_service_pb2 as calendars
from spareline.registry.v1 import calendar_service_pb2_grpc, identity_service_pb2_grpc
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e import matching_market as mm

CALLERS = (
    "anonymous",
    "owner_a",
    "trader_a",
    "viewer_a",
    "key_a",
    "calendar_a",
    "owner_b",
    "platform_with",
    "platform_without",
    "operator",
    "service",
)
OUTSIDERS = frozenset({"anonymous", "owner_b", "platform_without"})
A = "organizations/alpha"
_AT_MATCHING = ("spareline.matching.v1.MatchingService", "google.longrunning.Operations")
_STREAM_SECONDS = 10.0


@dataclass
class Voice:
    """One caller: what it is, and its channels."""

    name: str
    organization: str
    registry: grpc.aio.Channel
    matching: grpc.aio.Channel

    async def say(self, method: MethodDescriptor, request: Message) -> tuple[str, Message | None]:
        """Call a method; return "OK" and the (first) answer, or the reason of the refusal.

        A refusal without a reason of ours is returned as its status code.
        """
        service = method.containing_service.full_name
        channel = self.matching if service in _AT_MATCHING else self.registry
        shape = f"{'stream' if method.client_streaming else 'unary'}_" + (
            "stream" if method.server_streaming else "unary"
        )
        stub = getattr(channel, shape)(
            f"/{service}/{method.name}",
            request_serializer=GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        given: Any = _once(request) if method.client_streaming else request
        call = stub(given, timeout=_STREAM_SECONDS)
        try:
            if method.server_streaming:
                answer = await call.read()
                call.cancel()
                return "OK", None if answer is grpc.aio.EOF else answer
            return "OK", await call
        except grpc.aio.AioRpcError as error:
            return _reason(error), None


async def _once(request: Message) -> AsyncIterator[Message]:
    yield request


def _reason(error: grpc.aio.AioRpcError) -> str:
    found = grpc_errors.from_rpc_error(error)
    if isinstance(found, Internal):
        return f"{error.code().name} {error.details()}"
    return reason_name(found.reason).removeprefix("REASON_")


class Casting:
    """Signs everybody up and in, on a running market."""

    def __init__(self, market: mm.Market) -> None:
        self.market = market
        self._plain = grpc_client.channel(f"127.0.0.1:{market.registry_port}")
        self.identity: Any = identity_service_pb2_grpc.IdentityServiceStub(self._plain)
        self.voices: dict[str, Voice] = {}

    async def close(self) -> None:
        """Close all channels."""
        for voice in self.voices.values():
            await voice.registry.close()
            await voice.matching.close()
        await self._plain.close()

    async def _voice(self, name: str, grant: ids.IssueTokenRequest | None) -> Voice:
        token, organization = "", ""
        if grant is not None:
            answer = await self.identity.IssueToken(grant)
            token, organization = answer.access_token, answer.principal.organization

        async def source() -> str:
            return token

        voice = Voice(
            name,
            organization,
            grpc_client.channel(f"127.0.0.1:{self.market.registry_port}", token=source),
            grpc_client.channel(f"127.0.0.1:{self.market.matching_port}", token=source),
        )
        self.voices[name] = voice
        return voice

    async def _member(self, name: str, email: str, password: str = mm.PASSWORD) -> Voice:
        grant = ids.PasswordGrant(email=email, password=password)
        return await self._voice(name, ids.IssueTokenRequest(password=grant))

    async def sign_up(self, name: str, kind: int, shown: str) -> str:
        """Sign an organization up; return its owner's address for signing in."""
        organization = organization_pb2.Organization(
            display_name=shown,
            region="CN-ZJ",
            kind=kind,  # type: ignore[arg-type]
        )
        organization.location.latitude, organization.location.longitude = 30.2, 120.2
        organization.contact.email = f"{CONTACT}@{name}.example"
        email = f"owner@{name}.example"
        await self.identity.SignUp(
            ids.SignUpRequest(
                organization_id=name,
                organization=organization,
                email=email,
                person="Owner",
                password=mm.PASSWORD,
            )
        )
        return email

    async def all(self) -> None:
        """Make every voice of ``CALLERS``; the delegation reaches matching later."""
        kinds = organization_pb2.Organization
        for name, kind, owner in (
            ("alpha", kinds.KIND_SME, "owner_a"),
            ("beta", kinds.KIND_SME, "owner_b"),
            ("gamma", kinds.KIND_SME, "partner"),
            ("hub", kinds.KIND_PLATFORM, "platform_with"),
            ("depot", kinds.KIND_PLATFORM, "platform_without"),
        ):
            await self._member(owner, await self.sign_up(name, kind, name.title()))
        await self._voice("anonymous", None)
        await self._member("operator", *mm.OPERATOR)
        service = ids.ServiceGrant(service="matching", secret=mm.SECRET)
        await self._voice("service", ids.IssueTokenRequest(service=service))
        of_owner = self.voices["owner_a"].registry
        colleagues: Any = identity_service_pb2_grpc.IdentityServiceStub(of_owner)
        for role in ("trader", "viewer"):
            person = organization_pb2.Member(
                email=f"{role}@alpha.example",
                display_name=role,
                role=organization_pb2.Member.Role.Value(f"ROLE_{role.upper()}"),
            )
            await colleagues.CreateMember(
                ids.CreateMemberRequest(parent=A, member=person, password=mm.PASSWORD)
            )
            await self._member(f"{role}_a", person.email)
        key = await colleagues.CreateApiKey(
            ids.CreateApiKeyRequest(
                parent=A, api_key=organization_pb2.ApiKey(display_name="bot", scopes=["read"])
            )
        )
        await self._voice("key_a", ids.IssueTokenRequest(api_key=key.secret))
        who = await colleagues.WhoAmI(ids.WhoAmIRequest())
        feeds: Any = calendar_service_pb2_grpc.CalendarServiceStub(of_owner)
        feed = await feeds.RotateCalendarFeed(
            calendars.RotateCalendarFeedRequest(name=f"{who.subject}/calendarFeed")
        )
        await self._voice("calendar_a", ids.IssueTokenRequest(calendar_feed=feed.secret))

    async def delegate(self, registry: Any) -> str:
        """Let the platform act for A; return the delegation's name."""
        made = await registry.CreateDelegation(
            reg.CreateDelegationRequest(
                parent=A,
                delegation=organization_pb2.Delegation(
                    platform="organizations/hub", evidence="contract 7"
                ),
            )
        )
        return str(made.name)


CONTACT = "private-contact"
"""How the contact of every organization begins: nobody else reads it before a confirmation."""


async def gather(*work: Any) -> list[Any]:
    """Run all at once, a few at a time, so that no caller waits for long."""
    gate = asyncio.Semaphore(8)

    async def one(each: Any) -> Any:
        async with gate:
            return await each

    return list(await asyncio.gather(*(one(each) for each in work)))
