"""Opaque secrets of programs, sessions and calendars: ``spl_<id>_<secret>``, ``spr_…``, ``spc_…``.

The secret is 256 random bits, so its SHA-256 is safe to keep: nobody guesses it.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

API_KEY = "spl"
REFRESH = "spr"
CALENDAR = "spc"

_PREFIX_LENGTH = 12


@dataclass(frozen=True, slots=True)
class SecretToken:
    """One opaque secret: what it is found by, and what proves it."""

    sort: str
    id: str
    secret: str

    @classmethod
    def make(cls, sort: str, identity: str) -> "SecretToken":
        """Return a fresh one. ``identity`` has no underscore."""
        return cls(sort, identity, secrets.token_urlsafe(32))

    @classmethod
    def read(cls, sort: str, text: str) -> "SecretToken | None":
        """Return what a text says, or None when it is none of this sort."""
        found, _, rest = text.strip().partition("_")
        identity, _, secret = rest.partition("_")
        return cls(sort, identity, secret) if found == sort and identity and secret else None

    def text(self) -> str:
        """Return what its holder keeps."""
        return f"{self.sort}_{self.id}_{self.secret}"

    def digest(self) -> str:
        """Return what we keep."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def fits(self, digest: str) -> bool:
        """Tell, in constant time, whether this is the one whose digest was kept."""
        return hmac.compare_digest(self.digest(), digest)

    def prefix(self) -> str:
        """Return the first characters, to recognise it by; none of them is secret."""
        return f"{self.sort}_{self.id}"[:_PREFIX_LENGTH]


def same_secret(given: str, kept: str) -> bool:
    """Tell in constant time whether two secrets are the same; an empty one never is."""
    a, b = (hashlib.sha256(text.encode()).digest() for text in (given, kept))
    return hmac.compare_digest(a, b) and bool(kept)
