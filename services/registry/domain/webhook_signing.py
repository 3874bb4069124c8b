"""Secrets of webhooks and signatures of deliveries.

As the Standard Webhooks specification says: HMAC-SHA256 over "id.timestamp.body", headers
webhook-id, webhook-timestamp (seconds) and webhook-signature (one "v1,<base64>" per secret).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret: whsec_ and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers(event_id: str, timestamp: int, body: bytes, keys: Iterable[str]) -> dict[str, str]:
    """Return the headers of a delivery, signed with each secret. `timestamp` is in seconds."""
    signatures = (signature(event_id, timestamp, body, key) for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def signature(event_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """Return one signature of a delivery."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Seal:
    """Keeps secrets in the store so that the store alone does not give them away."""

    def __init__(self, private_key: str) -> None:
        """``private_key``: what only this service has; the sealing key is derived from it."""
        digest = hashlib.sha256(b"spareline webhook secrets\n" + private_key.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def close(self, secret: str) -> bytes:
        """Return the secret as it is stored."""
        return self._fernet.encrypt(secret.encode())

    def open(self, stored: bytes) -> str | None:
        """Return a stored secret; None when it was sealed with another key."""
        try:
            return self._fernet.decrypt(stored).decode()
        except InvalidToken:
            return None
