"""Rules of an organization's record, of secrets and of passwords: no store is needed."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import ResourceExhausted
from services.registry.domain import organizations as records
from services.registry.domain.passwords import Cost, Passwords
from services.registry.domain.secret_tokens import API_KEY, REFRESH, SecretToken, same_secret
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.organization_pb2 import Contact, Organization

CHEAP = Cost(passes=1, memory_kib=64)


@pytest.mark.parametrize(
    ("shown", "made"),
    [
        ("Müller & Söhne GmbH", "muller-sohne-gmbh"),
        ("宁波模具厂", ""),
        ("宁波 NB-Tools 厂", "nb-tools"),
        ("  --  ", ""),
        ("Ａｃｍｅ", "acme"),
        ("x" * 100, "x" * 40),
    ],
)
def test_ids_come_from_latin_letters(shown: str, made: str) -> None:
    assert records.slug(shown) == made


@given(st.text(max_size=120), st.from_regex("[0-9a-f]{32}", fullmatch=True))
def test_every_name_has_well_formed_ids(shown: str, key: str) -> None:
    for identity in records.candidates("", shown, key):
        records.require_name(f"organizations/{identity}")
        assert identity == identity.lower()


def test_pseudonyms_say_nothing_and_differ() -> None:
    assert len({records.pseudonym() for _ in range(200)}) > 190


LEVELS = disclosure_pb2.DisclosureLevel


@pytest.mark.parametrize(
    ("level", "relation", "shown"),
    [
        ("DISCLOSURE_LEVEL_UNSPECIFIED", "none", True),
        ("DISCLOSURE_LEVEL_PUBLIC", "none", True),
        ("DISCLOSURE_LEVEL_ON_PROPOSAL", "none", False),
        ("DISCLOSURE_LEVEL_ON_PROPOSAL", "proposal", True),
        ("DISCLOSURE_LEVEL_ON_CONFIRMATION", "proposal", False),
        ("DISCLOSURE_LEVEL_ON_CONFIRMATION", "confirmed", True),
        ("DISCLOSURE_LEVEL_NEVER", "confirmed", False),
    ],
)
def test_identity_is_shown_by_its_level(
    level: str, relation: records.Relation, shown: bool
) -> None:
    organization = Organization(
        display_name="Acme",
        pseudonym="Partner K7F2Q",
        description="The mill of Acme",
        contact=Contact(phone="1"),
        delegates=["organizations/p"],
        identity_disclosure=LEVELS.Value(level),
    )
    seen, _ = records.visible(organization, relation)
    assert seen.display_name == ("Acme" if shown else "Partner K7F2Q")
    assert bool(seen.description) == shown
    assert seen.HasField("contact") == (shown and relation == "confirmed")
    assert not seen.delegates
    assert organization.display_name == "Acme"


def test_secrets_are_found_by_their_id_and_proved_by_the_rest() -> None:
    token = SecretToken.make(API_KEY, "k1")
    again = SecretToken.read(API_KEY, token.text())
    assert again == token
    assert again.fits(token.digest())
    assert token.secret not in token.digest() + token.prefix()
    assert not SecretToken.make(API_KEY, "k1").fits(token.digest())
    for text in ("", "spl", "spl_", "spl_k1", "spl_k1_", "spl__x", f"spr{token.text()[3:]}"):
        assert SecretToken.read(API_KEY, text) is None
    assert SecretToken.read(REFRESH, "spr_a_b_c") == SecretToken(REFRESH, "a", "b_c")


def test_an_empty_secret_is_never_right() -> None:
    assert same_secret("a", "a")
    assert not same_secret("", "")
    assert not same_secret("a", "b")


async def test_passwords_verify_and_never_many_at_once() -> None:
    passwords = Passwords(CHEAP, parallel=1, waiting=1)
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$")
    assert await passwords.verify(encoded, "correct horse")
    assert not await passwords.verify(encoded, "wrong horse")
    assert not await passwords.verify("", "no account has this password")
    assert not await passwords.verify("not a hash", "x")
    results = await asyncio.gather(
        *(passwords.verify(encoded, "x") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, ResourceExhausted) for result in results) == 3
    assert await passwords.verify(encoded, "correct horse")  # there is room again
    passwords.close()


def test_a_reserved_id_is_nobodys() -> None:
    assert list(records.candidates("undisclosed", "x", "abc")) == []
    assert "undisclosed" not in list(records.candidates("", "Undisclosed", "a" * 32))
