"""What a call tells beyond its request: where it comes from, and which session it belongs to."""

import base64
import binascii
import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import grpc

CLIENT_ADDRESS_KEY = "x-client-address"

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
else:
    Context = grpc.aio.ServicerContext


def peer_address(context: Context, trusted: Collection[str]) -> str:
    """Return the address that sign-ins are limited by; empty when it is not known.

    A trusted address (a proxy, or the gateway) speaks for others: it names the client in
    ``x-client-address``, and is itself never the one that is limited.
    """
    address = _host(context.peer())
    if address in trusted:
        return _metadata(context).get(CLIENT_ADDRESS_KEY, "")
    return address


def _host(peer: str) -> str:
    """Return the address in ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    _, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]")


def session(context: Context) -> str:
    """Return the session in the caller's token, which the interceptor has verified."""
    token = _metadata(context).get("authorization", "").partition(" ")[2]
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return ""
    found = claims.get("sid", "")
    return found if isinstance(found, str) else ""


def _metadata(context: Context) -> dict[str, str]:
    pairs: Any = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}
