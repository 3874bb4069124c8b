"""Webhooks' rules: where they may point to, what signs them, when they are given up."""

from __future__ import annotations

import socket

import pytest

from services.registry.domain import webhook_retries, webhook_signing, webhook_targets
from services.registry.usecases.webhook_events import SUBJECTS
from services.registry.usecases.webhook_sending import Guarded, PrivateTarget

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example/hook",
        "https://localhost/",
        "https://intranet/",
        "https://127.0.0.1/",
        "https://10.1.2.3:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[fd00::1]/",
        "https://user:word@platform.example/",
        "https://platform.example:99999/",
        "https://platform.example/a b",
        "ftp://platform.example/",
        "https://",
        "",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_refused(url: str) -> None:
    assert webhook_targets.fault(url, private=False)


def test_a_public_address_is_taken_and_any_where_the_operator_allows_it() -> None:
    assert not webhook_targets.fault("https://hooks.platform.example/a?b=c", private=False)
    assert not webhook_targets.fault("https://93.184.216.34:8443/", private=False)
    assert not webhook_targets.fault("http://127.0.0.1:9000/", private=True)
    assert webhook_targets.fault("file:///etc/passwd", private=True)


async def test_a_name_that_leads_home_is_not_connected_to() -> None:
    resolver = Guarded()
    with pytest.raises(PrivateTarget):
        await resolver.resolve("localhost", 443, socket.AF_INET)
    await resolver.close()


def test_signatures_are_those_of_the_specification() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert (
        webhook_signing.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, secret)
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_seal_opens_with_its_own_key_only() -> None:
    closed = webhook_signing.Seal("one").close("whsec_x")
    assert b"whsec_x" not in closed
    assert webhook_signing.Seal("one").open(closed) == "whsec_x"
    assert webhook_signing.Seal("two").open(closed) is None


def test_pauses_grow_and_end() -> None:
    pauses = [webhook_retries.next_due(n, 0, 0, 3) or 0 for n in range(1, 12)]
    assert 5_000 <= pauses[0] <= 6_000
    assert max(pauses) <= 1.2 * 6 * 3_600_000
    assert pauses[:6] == sorted(pauses[:6])
    assert webhook_retries.next_due(4, 0, 3 * DAY_MS, 3) is None


def test_the_ledgers_own_moves_are_not_sent() -> None:
    assert "market.proposal.proposed.v1" in SUBJECTS
    assert not [subject for subject in SUBJECTS if "balanced" in subject]
