"""The short-lived tokens that we sign, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.chassis.tokens import TokenSigner
from services.registry.domain.instants import Clock
from spareline.market.v1.organization_pb2 import Member, Organization

LIFETIME = timedelta(minutes=15)
READ, WRITE = "read", "write"

_ROLES = {Member.ROLE_OWNER: "owner", Member.ROLE_TRADER: "trader", Member.ROLE_VIEWER: "viewer"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token speaks for. ``session`` is the family of a person's refresh tokens."""

    subject: str
    organization: str
    role: str
    scopes: Sequence[str]
    session: str = ""


def member_bearer(person: Member, organization: Organization, session: str) -> Bearer:
    """Return what a person's token says: in an operators' organization all but viewers operate."""
    role = _ROLES[person.role]
    scopes = [READ] if role == "viewer" else [READ, WRITE]
    if organization.kind == Organization.KIND_OPERATOR and role != "viewer":
        role = "operator"
    return Bearer(person.name, organization.name, role, scopes, session)


def key_bearer(name: str, organization: Organization, scopes: Sequence[str]) -> Bearer:
    """Return what a key's token says: a key trades, or operates, but never owns."""
    operates = organization.kind == Organization.KIND_OPERATOR
    role = "operator" if operates else "trader"
    return Bearer(name, organization.name, role, list(scopes))


def calendar_bearer(name: str, organization: Organization) -> Bearer:
    """Return what a calendar feed's token says: it lists proposals, and nothing else."""
    return Bearer(name, organization.name, "calendar", [READ])


def service_bearer(service: str) -> Bearer:
    """Return what the token of one of the platform's own services says."""
    return Bearer(f"services/{service}", "", "service", [READ, WRITE])


class Tokens:
    """Signs, and gives out the public key."""

    def __init__(self, signer: TokenSigner, clock: Clock, lifetime: timedelta = LIFETIME) -> None:
        self._signer = signer
        self._clock = clock
        self._lifetime = lifetime

    def jwks(self) -> str:
        """Return the public keys as a JWK set (RFC 7517), as JSON."""
        return self._signer.jwks_json()

    async def fetch(self) -> str:
        """Return the same as ``jwks``: what the registry's own ``TokenVerifier`` fetches."""
        return self.jwks()

    def sign(self, bearer: Bearer) -> tuple[str, int]:
        """Return a token and when it ends (milliseconds)."""
        claims: dict[str, Any] = {
            "sub": bearer.subject,
            "org": bearer.organization,
            "role": bearer.role,
            "scopes": list(bearer.scopes),
        }
        if bearer.session:
            claims["sid"] = bearer.session
        ends = self._clock() + int(self._lifetime.total_seconds()) * 1000
        return self._signer.sign(claims, self._lifetime), ends
