"""The key that signs tokens: read from its file, or made there at the first start."""

import os
from contextlib import suppress
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.chassis.tokens import TokenSigner


class SigningKeyUnfit(RuntimeError):  # noqa: N818
    """The file holds no private Ed25519 key."""


def signer(path: Path) -> TokenSigner:
    """Return a signer with the key in a file (JWK or PEM); a missing file is made.

    Two copies may start at once: only one of them makes the file, both read it. Raises
    SigningKeyUnfit, OSError.
    """
    if not path.exists():
        _make(path)
    text = path.read_text(encoding="utf-8").strip()
    try:
        if text.startswith("{"):
            return TokenSigner.from_json(text)
        return TokenSigner(OKPKey.import_key(text))
    except (JoseError, ValueError, TypeError) as error:
        raise SigningKeyUnfit(f"{path.name} holds no private Ed25519 key (JWK or PEM)") from error


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(TokenSigner.generate().private_json())
        file.flush()
        os.fsync(file.fileno())
    # A link, unlike a rename, fails when another copy was faster; and it appears whole.
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()
