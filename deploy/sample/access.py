"""Getting in: tokens for people and programs, sign-ups, the platform's key, delegations."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Final

from deploy.sample import people
from spareline.market.v1.organization_pb2 import ApiKey, Delegation, Organization
from spareline.registry.v1 import identity_service_pb2 as identity
from spareline.registry.v1 import identity_service_pb2_grpc, registry_service_pb2_grpc
from spareline.registry.v1.registry_service_pb2 import CreateDelegationRequest

_NAMESPACE: Final = uuid.UUID("0d1d7f0c-6f0e-5d3c-9d57-5c8f2a9b6e10")
_RENEW_SECONDS: Final = 60.0

EVIDENCE: Final = "Sample market: a fictional firm, brought by Delta Exchange for demonstration."
KEY_NAME: Final = "Sample market import"

if TYPE_CHECKING:
    IdentityStub = identity_service_pb2_grpc.IdentityServiceAsyncStub
    RegistryStub = registry_service_pb2_grpc.RegistryServiceAsyncStub
else:  # what generated code calls them when it runs
    IdentityStub = identity_service_pb2_grpc.IdentityServiceStub
    RegistryStub = registry_service_pb2_grpc.RegistryServiceStub


def request_id(*what: str) -> str:
    """The id of a call of the load: the same in every load, so that a repeat is known as one."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(what)))


class Session:
    """A token for one grant, renewed before it ends."""

    def __init__(self, stub: IdentityStub, grant: identity.IssueTokenRequest) -> None:
        self._stub = stub
        self._grant = grant
        self._token = ""
        self._ends = 0.0

    async def token(self) -> str:
        """The token. Raises `grpc.RpcError` when the grant is refused."""
        if time.time() > self._ends - _RENEW_SECONDS:
            answer = await self._stub.IssueToken(self._grant)
            self._token, self._ends = answer.access_token, answer.expire_time.seconds
        return self._token


def with_password(stub: IdentityStub, email: str, password: str) -> Session:
    """A session of a person."""
    grant = identity.PasswordGrant(email=email, password=password)
    return Session(stub, identity.IssueTokenRequest(password=grant))


def with_key(stub: IdentityStub, key: str) -> Session:
    """A session of a program."""
    return Session(stub, identity.IssueTokenRequest(api_key=key))


async def sign_up(
    stub: IdentityStub, short: str, organization: Organization, password: str, language: str
) -> None:
    """Sign an organization up; the person of its contact becomes its owner.

    Raises `grpc.RpcError`.
    """
    await stub.SignUp(
        identity.SignUpRequest(
            organization_id=short,
            organization=organization,
            email=organization.contact.email,
            person=organization.contact.person,
            password=password,
            language=language,
            request_id=request_id("sign-up", short),
        )
    )


async def make_key(stub: IdentityStub) -> str:
    """Make the platform's key; empty when an earlier load made it. Raises `grpc.RpcError`."""
    answer = await stub.CreateApiKey(
        identity.CreateApiKeyRequest(
            parent=people.PLATFORM,
            api_key=ApiKey(display_name=KEY_NAME, scopes=["read", "write"]),
            request_id=request_id("key"),
        )
    )
    return answer.secret


async def delegate(stub: RegistryStub, organization: str) -> None:
    """Have the platform act for a firm, on the firm's own word. Raises `grpc.RpcError`."""
    await stub.CreateDelegation(
        CreateDelegationRequest(
            parent=organization,
            delegation=Delegation(platform=people.PLATFORM, evidence=EVIDENCE),
            request_id=request_id("delegation", organization),
        )
    )
