"""Tokens: from an API key, or from a session that `spareline sign-in` keeps in a private file.

The file holds, per registry address, the refresh token and the last access token. Every refresh
replaces the refresh token, so it happens under a lock: two commands at once would else use the
same one twice, which a registry takes for theft.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from spareline.registry.v1 import identity_service_pb2, identity_service_pb2_grpc

_RENEW_SECONDS = 60.0


class NotSignedIn(Exception):  # noqa: N818 - says what is the case
    """There is neither an API key nor a session for this registry."""


class Tokens(Protocol):
    """Where the token of each call comes from."""

    async def token(self) -> str:
        """A token that is good for a minute at least, or nothing to call without one."""
        ...


class NoTokens:
    """Calls without a token, for what is public."""

    async def token(self) -> str:
        """Nothing."""
        return ""


class KeyTokens:
    """Tokens from an API key, kept in memory."""

    def __init__(self, identity: identity_service_pb2_grpc.IdentityServiceAsyncStub, key: str):
        self._identity = identity
        self._key = key
        self._answer = identity_service_pb2.IssueTokenResponse()
        self._one_at_a_time = asyncio.Lock()

    async def token(self) -> str:
        """The key's token, fetched anew shortly before it ends."""
        async with self._one_at_a_time:
            if time.time() > self._answer.expire_time.seconds - _RENEW_SECONDS:
                request = identity_service_pb2.IssueTokenRequest(api_key=self._key)
                self._answer = await self._identity.IssueToken(request)
            return self._answer.access_token


@dataclass(frozen=True)
class Session:
    """A sign-in at one registry. `expires` is in seconds since 1970."""

    email: str
    refresh_token: str
    access_token: str
    expires: int

    @classmethod
    def of(cls, email: str, answer: identity_service_pb2.IssueTokenResponse) -> Session:
        """The session that an answer of IssueToken opens or carries on."""
        return cls(email, answer.refresh_token, answer.access_token, answer.expire_time.seconds)


class SessionTokens:
    """Tokens from the stored session."""

    def __init__(
        self,
        identity: identity_service_pb2_grpc.IdentityServiceAsyncStub,
        file: Path,
        registry: str,
    ) -> None:
        self._identity = identity
        self._file = file
        self._registry = registry
        self._session: Session | None = None
        self._one_at_a_time = asyncio.Lock()

    async def token(self) -> str:
        """The session's token, refreshed shortly before it ends.

        Raises:
            NotSignedIn: there is no session for this registry.
        """
        async with self._one_at_a_time:
            if self._session is None or _ends(self._session):
                self._session = await self._current()
            return self._session.access_token

    async def _current(self) -> Session:
        with locked(self._file):
            session = read_session(self._file, self._registry)
            if session is None:
                raise NotSignedIn
            if _ends(session):
                request = identity_service_pb2.IssueTokenRequest(
                    refresh_token=session.refresh_token
                )
                session = Session.of(session.email, await self._identity.IssueToken(request))
                write_session(self._file, self._registry, session)
            return session


def session_file() -> Path:
    """Where sessions are kept: under XDG_CONFIG_HOME, or ~/.config."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "spareline" / "session.json"


def read_session(file: Path, registry: str) -> Session | None:
    """The session kept for a registry's address, if any; a damaged file counts as none."""
    found = _read_all(file).get(registry)
    try:
        return Session(**found) if found is not None else None
    except TypeError:
        return None  # of another version, or edited by hand


def write_session(file: Path, registry: str, session: Session | None) -> None:
    """Keep a registry's session, or forget it. The file is its owner's alone at every moment."""
    content = _read_all(file)
    if session is None:
        content.pop(registry, None)
    else:
        content[registry] = asdict(session)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
    fresh.replace(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep other commands from using the session at the same time."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read_all(file: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _ends(session: Session) -> bool:
    return time.time() > session.expires - _RENEW_SECONDS
