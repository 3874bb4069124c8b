"""Tokens: only what the issuer signed, in time, with the one algorithm."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from services.chassis.errors import Unauthenticated
from services.chassis.tokens import LEEWAY_SECONDS, TokenSigner, TokenVerifier
from spareline.errors.v1 import reason_pb2

CLAIMS = {
    "sub": "organizations/a/apiKeys/k",
    "org": "organizations/a",
    "role": "trader",
    "scopes": ["read"],
}
QUARTER = timedelta(minutes=15)


class Issuer:
    """Publishes the keys it is given and counts how often it is asked."""

    def __init__(self, *signers: TokenSigner) -> None:
        self.signers = list(signers)
        self.asked = 0

    async def jwks(self) -> dict[str, Any]:
        self.asked += 1
        return {"keys": [signer.public_jwk() for signer in self.signers]}


async def refused(verifier: TokenVerifier, token: str) -> int:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert not token or token not in str(caught.value)
    return caught.value.reason


async def test_a_signed_token_becomes_a_principal() -> None:
    signer = TokenSigner.generate()
    found = await TokenVerifier(Issuer(signer).jwks).verify(signer.sign(CLAIMS, QUARTER))
    assert (found.subject, found.kind, found.organization) == (
        "organizations/a/apiKeys/k",
        "apiKey",
        "organizations/a",
    )
    assert (found.role, found.scopes) == ("trader", frozenset({"read"}))


async def test_a_key_survives_its_storage() -> None:
    signer = TokenSigner.generate()
    again = TokenSigner.from_json(signer.private_json())
    await TokenVerifier(Issuer(signer).jwks).verify(again.sign(CLAIMS, QUARTER))
    assert "d" not in signer.public_jwk()
    assert '"d"' not in signer.jwks_json()


async def test_keys_are_fetched_once_and_again_for_an_unknown_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.chassis.tokens._REFETCH_SECONDS", 0.0)
    old, new = TokenSigner.generate(), TokenSigner.generate()
    issuer = Issuer(old)
    verifier = TokenVerifier(issuer.jwks)
    for _ in range(3):
        await verifier.verify(old.sign({**CLAIMS, "jti": str(time.monotonic())}, QUARTER))
    assert issuer.asked == 1
    issuer.signers.append(new)
    await verifier.verify(new.sign(CLAIMS, QUARTER))
    assert issuer.asked == 2


async def test_unknown_keys_do_not_flood_the_issuer() -> None:
    issuer = Issuer(TokenSigner.generate())
    verifier = TokenVerifier(issuer.jwks)
    for _ in range(5):
        await refused(verifier, TokenSigner.generate().sign(CLAIMS, QUARTER))
    assert issuer.asked == 1


async def test_expiry_has_five_seconds_of_leeway(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = TokenSigner.generate()
    verifier = TokenVerifier(Issuer(signer).jwks)
    just = signer.sign(CLAIMS, timedelta(seconds=2 - LEEWAY_SECONDS))
    await verifier.verify(just)
    assert (
        await refused(verifier, signer.sign(CLAIMS, timedelta(seconds=-LEEWAY_SECONDS - 1)))
        == reason_pb2.REASON_TOKEN_EXPIRED
    )
    # A token that was good once is not remembered past its time.
    now = time.time()
    monkeypatch.setattr("services.chassis.tokens.time.time", lambda: now + 60)
    assert await refused(verifier, just) == reason_pb2.REASON_TOKEN_EXPIRED


@pytest.mark.parametrize(
    "claims",
    [
        {**CLAIMS, "role": "boss"},
        {**CLAIMS, "scopes": "write"},
        {**CLAIMS, "org": 7},
        {"org": "organizations/a", "role": "owner", "scopes": []},
    ],
)
async def test_malformed_claims_are_refused(claims: dict[str, Any]) -> None:
    signer = TokenSigner.generate()
    verifier = TokenVerifier(Issuer(signer).jwks)
    reason = await refused(verifier, signer.sign(claims, QUARTER))
    assert reason == reason_pb2.REASON_UNAUTHENTICATED


async def test_another_issuer_is_refused() -> None:
    signer = TokenSigner.generate()
    claims = {**CLAIMS, "iss": "somebody", "exp": int(time.time()) + 60}
    header = {"alg": "Ed25519", "kid": signer.public_jwk()["kid"]}
    token = jwt.encode(header, claims, signer._key, ["Ed25519"])
    verifier = TokenVerifier(Issuer(signer).jwks)
    assert await refused(verifier, token) == reason_pb2.REASON_UNAUTHENTICATED


async def test_forged_tokens_are_refused() -> None:
    signer = TokenSigner.generate()
    verifier = TokenVerifier(Issuer(signer).jwks)
    header, body, signature = signer.sign(CLAIMS, QUARTER).split(".")
    raised = json.loads(base64.urlsafe_b64decode(body + "=="))
    raised["role"] = "owner"
    other_body = base64.urlsafe_b64encode(json.dumps(raised).encode()).decode().rstrip("=")
    none_header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    # The classic confusion: the public key taken as the secret of an HMAC.
    public = OctKey.import_key(json.dumps(signer.public_jwk()))
    hmac = jwt.encode(
        {"alg": "HS256", "kid": signer.public_jwk()["kid"]},
        {**CLAIMS, "iss": "spareline", "exp": int(time.time()) + 60},
        public,
        ["HS256"],
    )
    forged = [
        f"{header}.{other_body}.{signature}",
        f"{none_header}.{body}.",
        hmac,
        "",
        "not.a.token",
        "é",
    ]
    for token in forged:
        assert await refused(verifier, token) == reason_pb2.REASON_UNAUTHENTICATED
