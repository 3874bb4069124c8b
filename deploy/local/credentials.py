"""The keys and passwords of one embedded stack, made at its first start and kept after."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from deploy.local.layout import write_private


@dataclass(frozen=True)
class Credentials:
    """All secrets of one stack. `signing_key_file` is a PEM file with an Ed25519 private key."""

    signing_key_file: Path
    matching_secret: str
    session_key: str
    operator_password: str
    demo_password: str


def credentials_in(folder: Path) -> Credentials:
    """Read the secrets kept in `folder`, making each that is not there yet."""
    key = folder / "signing-key.pem"
    if not key.exists():
        write_private(key, _signing_key())
    return Credentials(
        signing_key_file=key,
        matching_secret=_kept(folder / "matching-secret", secrets.token_hex(32)),
        session_key=_kept(folder / "session-key", secrets.token_hex(32)),
        operator_password=_kept(folder / "operator-password", _password()),
        demo_password=_kept(folder / "demo-password", _password()),
    )


def _signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def _password() -> str:
    """Four groups of five letters and digits: about 80 bits, and still typed without despair."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def _kept(file: Path, fresh: str) -> str:
    """The text in `file`; `fresh`, written there first, when it is missing or empty."""
    if file.exists() and (known := file.read_text().strip()):
        return known
    write_private(file, fresh.encode())
    return fresh
