"""Where a call comes from, as sign-ins are limited by it."""

from typing import Any, cast

import pytest

from services.registry.grpc_api.callers import Context, peer_address, session
from services.registry.grpc_api.identity_servicer import LOOPBACK


class Call:
    """What gRPC tells about a call."""

    def __init__(self, peer: str, **metadata: str) -> None:
        self._peer, self._metadata = peer, metadata

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple((key.replace("_", "-"), value) for key, value in self._metadata.items())


def call(peer: str, **metadata: str) -> Context:
    return cast(Context, cast(Any, Call(peer, **metadata)))


@pytest.mark.parametrize(
    ("context", "address"),
    [
        (call("ipv4:192.0.2.7:5000"), "192.0.2.7"),
        (call("ipv6:%5B2001:db8::1%5D:5000"), "2001:db8::1"),
        (call("ipv4:192.0.2.7:5000", x_client_address="198.51.100.1"), "192.0.2.7"),
        (call("ipv4:127.0.0.1:5000", x_client_address="198.51.100.1"), "198.51.100.1"),
        (call("ipv6:[::1]:5000"), ""),
    ],
)
def test_only_a_trusted_peer_speaks_for_another(context: Context, address: str) -> None:
    assert peer_address(context, LOOPBACK) == address


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Bearer a.e30.c"])
def test_a_token_without_a_session_has_none(token: str) -> None:
    assert session(call("ipv4:127.0.0.1:1", authorization=token)) == ""
