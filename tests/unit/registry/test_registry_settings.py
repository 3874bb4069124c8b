"""The registry's settings, and the file of the key that it signs with."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from services.chassis.tokens import TokenVerifier
from services.registry.settings import RegistrySettings
from services.registry.signing_key import SigningKeyUnfit, signer


def settings(tmp_path: Path, **more: object) -> RegistrySettings:
    given: dict[str, object] = {
        "mongo_url": "mongodb://127.0.0.1:1",
        "nats_url": "nats://127.0.0.1:1",
        "grpc_port": 0,
        "signing_key_file": tmp_path / "key",
        **more,
    }
    return RegistrySettings.model_validate(given)


def test_secrets_are_read_by_service_and_never_printed(tmp_path: Path) -> None:
    found = settings(tmp_path, service_secrets="matching=abc=d, gateway=e")
    assert found.secrets_by_service() == {"matching": "abc=d", "gateway": "e"}
    assert "abc" not in repr(found)
    assert settings(tmp_path).secrets_by_service() == {}


@pytest.mark.parametrize("wrong", ["matching", "matching=", "=abc", "a=b,c"])
def test_secrets_of_another_form_are_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValidationError):
        settings(tmp_path, service_secrets=wrong)


async def test_a_missing_key_is_made_once_for_all_copies(tmp_path: Path) -> None:
    path = tmp_path / "below" / "key.json"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(signer, path).result()
    second = signer(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["key.json"]

    async def keys() -> str:
        return second.jwks_json()

    token = first.sign({"sub": "services/x", "role": "service"}, timedelta(minutes=1))
    assert (await TokenVerifier(keys).verify(token)).subject == "services/x"


def test_a_pem_file_is_read_and_another_refused(tmp_path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    good, bad = tmp_path / "key.pem", tmp_path / "bad.pem"
    good.write_bytes(pem)
    bad.write_text("no key at all")
    assert signer(good).public_jwk()["kty"] == "OKP"
    with pytest.raises(SigningKeyUnfit, match=r"bad\.pem"):
        signer(bad)
