"""Webhooks end to end: a real receiver gets signed events, at least once, and the log tells."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from services.registry.domain import webhook_retries
from tests.e2e import json_api
from tests.e2e.json_api import Place, call

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECONDS = 20.0


@dataclass
class Receiver:
    """What a platform would run: it keeps what it gets and answers as it is told."""

    url: str
    got: queue.Queue[tuple[dict[str, str], bytes]]
    answers: list[int] = field(default_factory=list)

    def next(self) -> tuple[dict[str, str], bytes]:
        return self.got.get(timeout=SECONDS)


@contextmanager
def receiver() -> Iterator[Receiver]:
    kept = Receiver("", queue.Queue())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.put((dict(self.headers), body))
            self.send_response(kept.answers.pop(0) if kept.answers else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with json_api.running() as running:
        yield running


def signed_with(secret: str, headers: dict[str, str], body: bytes) -> str:
    """What a receiver computes, written down anew from the Standard Webhooks specification."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def logged(place: Place, webhook: str, state: str) -> dict[str, Any]:
    """The latest delivery of a webhook, once it is in that state."""
    until = time.monotonic() + SECONDS
    while True:
        found = call(place, "GET", f"/{webhook}/deliveries").json["deliveries"]
        if found and found[0].get("state") == state:
            delivery: dict[str, Any] = found[0]
            return delivery
        assert time.monotonic() < until, found
        time.sleep(0.1)


def test_an_event_is_signed_retried_logged_and_replayed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_retries, "_PAUSES_SECONDS", (0.2,) * 7)
    with receiver() as platform:
        wanted = {"url": platform.url, "eventTypes": ["market.proposal.accepted.v1"]}
        made = call(place, "POST", "/organizations/alpha/webhooks", wanted)
        assert made.status == 200, made.text
        name, secret = made.json["name"], made.json["secret"]
        assert "secret" not in call(place, "GET", f"/{name}").json

        platform.answers[:] = [500, 302]
        names = place.names
        proposal = f"rounds/{names['round']}/proposals/{names['proposal']}"
        accepted = call(place, "POST", f"/{proposal}:accept", {"party": "organizations/alpha"})
        assert accepted.status == 200, accepted.text
        tries = [platform.next() for _ in range(3)]
        for headers, body in tries:
            assert headers["webhook-signature"] == signed_with(secret, headers, body)
            assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        assert len({headers["webhook-id"] for headers, _ in tries}) == 1
        headers, body = tries[-1]
        assert headers["Content-Type"].startswith("application/cloudevents+json")
        event = json.loads(body)
        assert event["specversion"] == "1.0"
        assert event["type"] == "market.proposal.accepted.v1"
        assert event["subject"] == proposal
        assert event["id"] == headers["webhook-id"]
        assert event["data"]["organizations"] == ["organizations/alpha"]
        assert set(event["data"]) == {"kind", "name", "state", "generation", "organizations"}

        log = logged(place, name, "STATE_DELIVERED")
        assert (log["attempts"], log["lastStatus"]) == (3, 204)
        assert not {"lastError", "lastErrorWords"} & log.keys()
        assert json.loads(log["payload"]) == event

        rotated = call(place, "POST", f"/{name}:rotateSecret", {})
        assert rotated.json["secret"] != secret
        again = call(place, "POST", f"/{log['name']}:replay", {})
        assert again.status == 200, again.text
        headers, body = platform.next()
        assert headers["webhook-id"] == event["id"]
        assert headers["webhook-signature"].split() == [
            signed_with(key, headers, body) for key in (rotated.json["secret"], secret)
        ]
        assert call(place, "DELETE", f"/{name}").status == 200
        assert call(place, "GET", f"/{name}").status == 404


def test_only_whom_it_concerns_and_only_what_is_wanted(place: Place) -> None:
    with receiver() as own, receiver() as others:
        hooks = [("alpha", own), ("beta", others)]
        for firm, each in hooks:
            made = call(
                place, "POST", f"/organizations/{firm}/webhooks", {"url": each.url}, who=firm
            )
            assert made.status == 200, made.text
        path = "/organizations/alpha/offers/spare"
        changed = call(place, "PATCH", f"{path}?updateMask=description", {"description": "Secret"})
        assert changed.status == 200, changed.text
        _, body = own.next()
        assert json.loads(body)["type"] == "market.offer.updated.v1"
        assert b"Secret" not in body
        assert others.got.empty()


def test_a_webhook_is_its_owners(place: Place) -> None:
    path = "/organizations/alpha/webhooks"
    assert call(place, "GET", path, who="beta").json["reason"] == "REASON_ORGANIZATION_FORBIDDEN"
    refused = call(place, "POST", path, {"url": "https://a.example", "eventTypes": ["no.such"]})
    assert refused.json["violations"][0]["field"] == "webhook.eventTypes"
    refused = call(place, "POST", path, {"url": "ftp://files.example/x"})
    assert refused.json["violations"][0]["field"] == "webhook.url"
