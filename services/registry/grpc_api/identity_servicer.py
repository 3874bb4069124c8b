"""IdentityService over gRPC."""

from collections.abc import Collection

from google.protobuf.empty_pb2 import Empty

from services.chassis.access import current
from services.registry.grpc_api.callers import Context, peer_address, session
from services.registry.identity_parts import Identity
from spareline.market.v1.organization_pb2 import Member
from spareline.registry.v1 import identity_service_pb2 as api
from spareline.registry.v1.identity_service_pb2_grpc import IdentityServiceServicer

LOOPBACK = frozenset({"127.0.0.1", "::1"})


class IdentityServicer(IdentityServiceServicer):
    """Each method hands its request to a use case."""

    def __init__(self, identity: Identity, trusted_peers: Collection[str] = LOOPBACK) -> None:
        """``trusted_peers``: addresses that sign in for others (proxies, the gateway)."""
        self._identity = identity
        self._trusted = frozenset(trusted_peers)

    async def SignUp(self, request: api.SignUpRequest, context: Context) -> api.SignUpResponse:
        """Register an organization and its first owner."""
        await self._identity.attempts.admit_sign_up(peer_address(context, self._trusted))
        return await self._identity.sign_up(request)

    async def IssueToken(
        self, request: api.IssueTokenRequest, context: Context
    ) -> api.IssueTokenResponse:
        """Exchange a proof for a token."""
        sign_in = self._identity.sign_in
        match request.WhichOneof("grant"):
            case "password":
                grant = request.password
                peer = peer_address(context, self._trusted)
                return await sign_in.by_password(grant.email, grant.password, peer)
            case "api_key":
                return await sign_in.by_api_key(request.api_key)
            case "refresh_token":
                return await sign_in.by_refresh_token(request.refresh_token)
            case "calendar_feed":
                return await sign_in.by_calendar_feed(request.calendar_feed)
            case _:  # the proto requires one of the five
                return await sign_in.by_service_secret(
                    request.service.service, request.service.secret
                )

    async def RevokeToken(self, request: api.RevokeTokenRequest, _context: Context) -> Empty:
        """End a session."""
        await self._identity.sign_in.revoke(request.refresh_token)
        return Empty()

    async def GetJwks(self, _request: api.GetJwksRequest, _context: Context) -> api.Jwks:
        """Give out the public keys."""
        return api.Jwks(json=self._identity.tokens.jwks())

    async def WhoAmI(self, _request: api.WhoAmIRequest, _context: Context) -> api.WhoAmIResponse:
        """Say who the caller is."""
        return await self._identity.sign_in.who_is(current())

    async def ChangePassword(self, request: api.ChangePasswordRequest, context: Context) -> Empty:
        """Change the caller's own password."""
        await self._identity.members.change_password(current(), request, session(context))
        return Empty()

    async def CreateMember(self, request: api.CreateMemberRequest, _context: Context) -> Member:
        """Add a person."""
        return await self._identity.members.create(current(), request)

    async def ListMembers(
        self, request: api.ListMembersRequest, _context: Context
    ) -> api.ListMembersResponse:
        """List people."""
        return await self._identity.members.list(current(), request)

    async def UpdateMember(self, request: api.UpdateMemberRequest, _context: Context) -> Member:
        """Change a person's role, name or language."""
        return await self._identity.members.update(current(), request)

    async def DeleteMember(self, request: api.DeleteMemberRequest, _context: Context) -> Empty:
        """Remove a person."""
        await self._identity.members.delete(current(), request)
        return Empty()

    async def CreateApiKey(
        self, request: api.CreateApiKeyRequest, _context: Context
    ) -> api.CreateApiKeyResponse:
        """Make a key."""
        return await self._identity.keys.create(current(), request)

    async def ListApiKeys(
        self, request: api.ListApiKeysRequest, _context: Context
    ) -> api.ListApiKeysResponse:
        """List keys."""
        return await self._identity.keys.list(current(), request)

    async def DeleteApiKey(self, request: api.DeleteApiKeyRequest, _context: Context) -> Empty:
        """End a key."""
        await self._identity.keys.delete(current(), request)
        return Empty()
