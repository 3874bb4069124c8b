"""Getting a token by password, key, refresh token or service secret; and losing it."""

import asyncio
import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import (
    Aborted,
    ResourceExhausted,
    Unauthenticated,
)
from services.chassis.tokens import TokenVerifier
from services.registry.usecases.sign_in import SESSION_MS
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import ApiKey, Member
from spareline.registry.v1 import identity_service_pb2 as api
from tests.contract.registry.identity.conftest import PASSWORD, SERVICE_SECRET, Served


def by_password(email: str, password: str) -> api.IssueTokenRequest:
    return api.IssueTokenRequest(password=api.PasswordGrant(email=email, password=password))


def refreshed(token: str) -> api.IssueTokenRequest:
    return api.IssueTokenRequest(refresh_token=token)


async def test_a_token_verifies_offline_by_the_published_keys(served: Served) -> None:
    owner = await served.owner()

    async def fetch() -> str:
        jwks = await served.anyone.identity.GetJwks(api.GetJwksRequest())
        assert '"d"' not in jwks.json  # the private half
        return str(jwks.json)

    principal = await TokenVerifier(fetch).verify(owner.token)
    assert principal.subject == owner.name
    assert principal.organization == owner.organization
    assert principal.role == "owner"
    assert principal.scopes == {"read", "write"}
    seen = await owner.identity.WhoAmI(api.WhoAmIRequest())
    assert (seen.subject, seen.display_name) == (owner.name, "An Owner")
    assert seen.email == "owner1@example.com"


@pytest.mark.parametrize("email", ["owner1@example.com", "nobody@example.com"])
async def test_wrong_credentials_say_nothing_and_are_limited(served: Served, email: str) -> None:
    await served.owner()
    request = by_password(email, "not the password")
    for _ in range(10):
        with pytest.raises(Unauthenticated) as refused:
            await served.anyone.identity.IssueToken(request)
        assert refused.value.reason == reason_pb2.REASON_CREDENTIALS_WRONG
        assert "not the password" not in str(refused.value)
    with pytest.raises(ResourceExhausted) as limited:
        await served.anyone.identity.IssueToken(request)
    assert limited.value.reason == reason_pb2.REASON_RATE_LIMITED
    assert 0 < int(limited.value.metadata["retry_seconds"]) <= 60


async def test_right_passwords_are_never_limited(served: Served) -> None:
    await served.owner()
    for _ in range(15):
        await served.anyone.identity.IssueToken(by_password("owner1@example.com", PASSWORD))


async def test_an_unknown_address_takes_as_long_as_a_known_one(served: Served) -> None:
    await served.owner()
    passwords = served.identity.sign_in._passwords
    calls = 0
    fits = passwords._fits

    def counted(encoded: str, password: str) -> bool:
        nonlocal calls
        calls += 1
        return fits(encoded, password)

    passwords._fits = counted  # type: ignore[method-assign]
    for email in ("owner1@example.com", "nobody@example.com"):
        with pytest.raises(Unauthenticated):
            await served.anyone.identity.IssueToken(by_password(email, "wrong"))
    assert calls == 2


async def test_refresh_tokens_rotate_and_a_stolen_one_ends_the_family(served: Served) -> None:
    owner = await served.owner()
    second = await served.anyone.identity.IssueToken(refreshed(owner.refresh))
    assert second.refresh_token != owner.refresh
    assert second.principal.subject == owner.name
    third = await served.anyone.identity.IssueToken(refreshed(second.refresh_token))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(refreshed(second.refresh_token))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(refreshed(third.refresh_token))


async def test_of_one_refresh_token_at_once_one_exchange_wins(served: Served) -> None:
    owner = await served.owner()
    results = await asyncio.gather(
        *(served.anyone.identity.IssueToken(refreshed(owner.refresh)) for _ in range(8)),
        return_exceptions=True,
    )
    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(each, Aborted | Unauthenticated) for each in results if each != won[0])


async def test_a_session_ends_after_its_time_and_on_signing_out(served: Served) -> None:
    owner = await served.owner()
    other = await served.sign_in("owner1@example.com")
    await served.anyone.identity.RevokeToken(api.RevokeTokenRequest(refresh_token=other.refresh))
    await served.anyone.identity.RevokeToken(api.RevokeTokenRequest(refresh_token="spr_no_such"))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(refreshed(other.refresh))
    served.clock.ahead_ms = SESSION_MS + 1000
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(refreshed(owner.refresh))
    assert await served.identity.sessions.sweep(served.clock()) == 1


async def test_services_show_their_secret(served: Served) -> None:
    grant = api.ServiceGrant(service="matching", secret=SERVICE_SECRET)
    answer = await served.anyone.identity.IssueToken(api.IssueTokenRequest(service=grant))
    assert answer.principal.subject == "services/matching"
    assert (answer.principal.role, answer.principal.organization) == ("service", "")
    for service, secret in (("matching", "wrong"), ("gateway", SERVICE_SECRET), ("none", "x")):
        grant = api.ServiceGrant(service=service, secret=secret)
        with pytest.raises(Unauthenticated):
            await served.anyone.identity.IssueToken(api.IssueTokenRequest(service=grant))


async def test_keys_trade_by_their_scopes_until_they_end(served: Served) -> None:
    owner = await served.owner()
    expiry = Timestamp(seconds=int(time.time()) + 3600)
    made = await owner.identity.CreateApiKey(
        api.CreateApiKeyRequest(
            parent=owner.organization,
            api_key=ApiKey(display_name="ERP", scopes=["read"], expire_time=expiry),
        )
    )
    assert made.secret.startswith(f"spl_{made.api_key.name.rpartition('/')[2]}_")
    assert made.secret.startswith(made.api_key.prefix)
    by_key = api.IssueTokenRequest(api_key=made.secret)
    answer = await served.anyone.identity.IssueToken(by_key)
    assert answer.principal.role == "trader"
    assert list(answer.principal.scopes) == ["read"]
    assert not answer.refresh_token
    listed = await owner.identity.ListApiKeys(api.ListApiKeysRequest(parent=owner.organization))
    assert listed.api_keys[0].last_use_time.seconds > 0
    stored = await served.identity.organizations.aggregates.collection.database[
        "api_keys"
    ].find_one({})
    assert made.secret.split("_", 2)[2] not in str(stored)
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(api.IssueTokenRequest(api_key=made.secret + "x"))
    served.clock.ahead_ms = 3_700_000
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(by_key)
    served.clock.ahead_ms = 0
    await owner.identity.DeleteApiKey(api.DeleteApiKeyRequest(name=made.api_key.name))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(by_key)


async def test_a_new_password_ends_the_other_sessions(served: Served) -> None:
    owner = await served.owner()
    other = await served.sign_in("owner1@example.com")
    change = api.ChangePasswordRequest(current_password="wrong", new_password="a new password")
    with pytest.raises(Unauthenticated):
        await owner.identity.ChangePassword(change)
    change.current_password = PASSWORD
    await owner.identity.ChangePassword(change)
    await served.anyone.identity.IssueToken(refreshed(owner.refresh))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(refreshed(other.refresh))
    with pytest.raises(Unauthenticated):
        await served.anyone.identity.IssueToken(by_password("owner1@example.com", PASSWORD))
    await served.sign_in("owner1@example.com", "a new password")


async def test_operators_and_viewers_get_their_roles(served: Served) -> None:
    operator = await served.operator()
    await served.identity.sign_up.ensure_operator("else@example.com", PASSWORD)  # is there
    for role, email, seen, scopes in (
        (Member.ROLE_TRADER, "t@example.com", "operator", ["read", "write"]),
        (Member.ROLE_VIEWER, "v@example.com", "viewer", ["read"]),
    ):
        await operator.identity.CreateMember(
            api.CreateMemberRequest(
                parent="organizations/operator",
                member=Member(email=email, display_name="X", role=role),
                password=PASSWORD,
            )
        )
        person = await served.sign_in(email)
        profile = await person.identity.WhoAmI(api.WhoAmIRequest())
        assert (profile.role, list(profile.scopes)) == (seen, scopes)


async def test_a_peer_that_guesses_is_limited_over_all_addresses(served: Served) -> None:
    for number in range(10):
        with pytest.raises(Unauthenticated):
            await served.identity.sign_in.by_password(f"a{number}@example.com", "x", "192.0.2.7")
    with pytest.raises(ResourceExhausted):
        await served.identity.sign_in.by_password("b@example.com", "x", "192.0.2.7")
    with pytest.raises(Unauthenticated):
        await served.identity.sign_in.by_password("b@example.com", "x", "192.0.2.8")


async def test_a_peer_signs_up_only_so_often(served: Served) -> None:
    attempts = served.identity.attempts
    for _ in range(30):
        await attempts.admit_sign_up("192.0.2.7")
    with pytest.raises(ResourceExhausted):
        await attempts.admit_sign_up("192.0.2.7")
    await attempts.admit_sign_up("192.0.2.8")
    for _ in range(100):
        await attempts.admit_sign_up("")  # a trusted proxy that names nobody
