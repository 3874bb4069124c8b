"""Who matching is to the registry: its token, renewed in time, and the keys of all tokens."""

import asyncio
import time
from typing import Any

import grpc

from services.chassis import grpc_errors
from spareline.registry.v1 import identity_service_pb2 as pb
from spareline.registry.v1 import identity_service_pb2_grpc

SERVICE = "matching"
_RENEW_BEFORE_SECONDS = 120.0
_CALL_SECONDS = 10.0


class ServiceIdentity:
    """Gets matching's own token by its secret, over a channel that carries no token."""

    def __init__(self, channel: grpc.aio.Channel, secret: str) -> None:
        stub: Any = identity_service_pb2_grpc.IdentityServiceStub(channel)
        self._stub = stub
        self._secret = secret
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is valid for a while yet.

        Raises the DomainError that the registry answered, or Unavailable.
        """
        if time.time() < self._until:
            return self._token
        async with self._lock:
            if time.time() >= self._until:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        grant = pb.ServiceGrant(service=SERVICE, secret=self._secret)
        try:
            answer = await self._stub.IssueToken(
                pb.IssueTokenRequest(service=grant), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise grpc_errors.from_rpc_error(error) from error
        self._token = answer.access_token
        expiry = answer.expire_time.ToMilliseconds() / 1000
        # Never spin on a token that lives shorter than the margin.
        self._until = max(expiry - _RENEW_BEFORE_SECONDS, time.time() + 1.0)

    async def jwks(self) -> str:
        """Return the public keys that verify everybody's tokens, as JSON."""
        try:
            answer = await self._stub.GetJwks(pb.GetJwksRequest(), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise grpc_errors.from_rpc_error(error) from error
        return str(answer.json)
