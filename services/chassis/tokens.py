"""Short-lived EdDSA tokens (RFC 7519, RFC 9864): signed by one service, verified offline by all."""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, cast

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, OKPKey

from services.chassis.access import ROLES, Kind, Principal, Role
from services.chassis.causes import said
from services.chassis.errors import Unauthenticated
from spareline.errors.v1 import cause_pb2, reason_pb2

ISSUER = "spareline"
ALGORITHM = "Ed25519"  # the fully specified name of what used to be called EdDSA
LEEWAY_SECONDS = 5
_REFETCH_SECONDS = 5.0
_REMEMBERED = 4096

# Returns the public keys as a JWK set (RFC 7517), as JSON or already read.
FetchJwks = Callable[[], Awaitable[str | Mapping[str, Any]]]


class TokenSigner:
    """Signs tokens with one Ed25519 key, whose id goes into each token's header."""

    def __init__(self, key: OKPKey) -> None:
        key.ensure_kid()
        self._key = key

    @classmethod
    def generate(cls) -> "TokenSigner":
        """Return a signer with a new key."""
        return cls(OKPKey.generate_key("Ed25519"))

    @classmethod
    def from_json(cls, text: str) -> "TokenSigner":
        """Return a signer with the private key that ``private_json`` gave."""
        return cls(OKPKey.import_key(json.loads(text)))

    def private_json(self) -> str:
        """Return the private key as a JWK, to be stored where only the issuer reads."""
        return json.dumps(self._key.as_dict(private=True))

    def public_jwk(self) -> dict[str, Any]:
        """Return the public key as a JWK."""
        return cast(dict[str, Any], self._key.as_dict(private=False, alg=ALGORITHM, use="sig"))

    def jwks_json(self) -> str:
        """Return the public key as a JWK set."""
        return json.dumps({"keys": [self.public_jwk()]})

    def sign(self, claims: Mapping[str, Any], lifetime: timedelta) -> str:
        """Return a token with the claims (sub, org, role, scopes), valid for the lifetime."""
        now = int(time.time())
        expiry = now + int(lifetime.total_seconds())
        complete = {**claims, "iss": ISSUER, "iat": now, "exp": expiry}
        return jwt.encode(
            {"alg": ALGORITHM, "kid": self._key.kid}, complete, self._key, [ALGORITHM]
        )


class TokenVerifier:
    """Verifies tokens against the issuer's public keys, fetched when an unknown one appears."""

    def __init__(self, fetch_jwks: FetchJwks) -> None:
        self._fetch = fetch_jwks
        self._keys: KeySet | None = None
        self._fetched = float("-inf")
        self._lock = asyncio.Lock()
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def verify(self, token: str) -> Principal:
        """Return the principal that a token speaks for.

        Raises Unauthenticated (TOKEN_EXPIRED, UNAUTHENTICATED), or what fetching the keys
        raised when they are needed and cannot be had.
        """
        fingerprint = hashlib.sha256(token.encode()).digest()
        remembered = self._known.get(fingerprint)
        if remembered is not None:
            if time.time() < remembered[0] + LEEWAY_SECONDS:
                return remembered[1]
            del self._known[fingerprint]
        claims = await self._decode(token)
        try:
            self._claims.validate(claims)
        except ExpiredTokenError:
            raise Unauthenticated(
                reason_pb2.REASON_TOKEN_EXPIRED, said(cause_pb2.CAUSE_TOKEN_EXPIRED)
            ) from None
        except JoseError:
            raise _refused() from None
        principal = _principal(claims)
        self._known[fingerprint] = (float(claims["exp"]), principal)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return principal

    async def _decode(self, token: str) -> dict[str, Any]:
        for attempt in (1, 2):
            keys = await self._key_set(refetch=attempt == 2)
            try:
                return jwt.decode(token, keys, [ALGORITHM]).claims
            except InvalidKeyIdError:
                continue
            except (JoseError, ValueError):
                raise _refused() from None
        raise _refused()

    async def _key_set(self, *, refetch: bool) -> KeySet:
        async with self._lock:
            due = time.monotonic() - self._fetched >= _REFETCH_SECONDS
            # The pause keeps a flood of made-up key ids from becoming a flood on the issuer.
            if self._keys is None or (refetch and due):
                fetched = await self._fetch()
                keys = json.loads(fetched) if isinstance(fetched, str) else fetched
                self._keys = KeySet.import_key_set(cast(Any, dict(keys)))
                self._fetched = time.monotonic()
            return self._keys


def _refused() -> Unauthenticated:
    return Unauthenticated(reason_pb2.REASON_UNAUTHENTICATED, said(cause_pb2.CAUSE_TOKEN_INVALID))


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject, role = claims["sub"], claims.get("role")
    organization, scopes = claims.get("org", ""), claims.get("scopes", ())
    well_formed = (
        isinstance(subject, str)
        and isinstance(organization, str)
        and role in ROLES
        and isinstance(scopes, list | tuple)
        and all(isinstance(scope, str) for scope in scopes)
    )
    if not well_formed:
        raise _refused()
    kind: Kind = "member"
    if role == "service":
        kind = "service"
    elif "/apiKeys/" in subject:
        kind = "apiKey"
    return Principal(subject, kind, organization, cast(Role, role), frozenset(scopes))
