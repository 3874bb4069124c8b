"""Mail end to end: a real SMTP server gets gathered news, in the member's language, by choice."""

from __future__ import annotations

import email
import email.policy
import queue
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from services.chassis import mongo
from services.registry.usecases import mail_sending
from tests import servers
from tests.e2e import json_api
from tests.e2e.json_api import Place, call

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SECONDS = 20.0
HOME = "https://market.example"


class Postbox:
    """Takes mail; what stands in `answers` is said instead of taking the next ones."""

    def __init__(self) -> None:
        self.got: queue.Queue[EmailMessage] = queue.Queue()
        self.answers = ["451 Later, please"]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop()
        read = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(read, EmailMessage)
        self.got.put(read)
        return "250 Taken"

    def next(self) -> EmailMessage:
        return self.got.get(timeout=SECONDS)


@pytest.fixture(scope="module")
def postbox() -> Iterator[Postbox]:
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=servers.free_port())
    controller.start()
    box.port = controller.port  # type: ignore[attr-defined]
    try:
        yield box
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def place(postbox: Postbox) -> Iterator[Place]:
    settings = {
        "smtp_host": "127.0.0.1",
        "smtp_port": postbox.port,  # type: ignore[attr-defined]
        "smtp_security": "none",
        "mail_from": "Spareline <news@market.example>",
        "mail_digest_seconds": 0.5,
        "public_url": f"{HOME}/",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_sending, "_TURN_MS", 500)
        with json_api.running(settings) as running:
            yield running


async def _overdue_now(place: Place, proposal: str) -> None:
    market = place.market
    async with mongo.connect(market.mongo_url, f"matching_{market.suffix}") as database:
        due = {"_id": proposal, "due": "report"}
        changed = await database["proposals"].update_one(due, {"$set": {"due_ms": 1}})
        assert changed.modified_count == 1


def test_members_are_told_in_their_language_and_by_their_choice(
    place: Place, postbox: Postbox
) -> None:
    names = place.names
    page = f"{HOME}/proposals/{names['round']}/{names['proposal']}"
    first = {mail["To"].split("@")[0]: mail for mail in (postbox.next(), postbox.next())}
    assert set(first) == {"alpha", "beta"}  # the one that was refused at first came, too
    mail = first["alpha"]
    assert mail["Subject"] == "Spareline: 1 proposal waits for your answer"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == f"<{HOME}/account/mail>"
    assert page in mail.get_content()
    assert not [word for word in ("need", "Beta", "beta") if word in mail.get_content()]

    beta = call(place, "GET", "/principal", who="beta").json["subject"]
    settings = f"/{beta}/mailSettings"
    assert call(place, "GET", settings, who="beta").json["muted"] == []
    muted = call(place, "PATCH", settings, {"muted": ["KIND_CONFIRMED"]}, who="beta")
    assert muted.json["muted"] == ["KIND_CONFIRMED"], muted.text
    assert call(place, "GET", settings, who="alpha").status == 403
    alpha = call(place, "GET", "/principal").json["subject"]
    spoken = call(place, "PATCH", f"/{alpha}?updateMask=language", {"language": "zh"})
    assert spoken.json["language"] == "zh", spoken.text

    proposal = f"/rounds/{names['round']}/proposals/{names['proposal']}"
    for firm in ("alpha", "beta"):
        body = {"party": f"organizations/{firm}"}
        assert call(place, "POST", f"{proposal}:accept", body, who=firm).status == 200
    mail = postbox.next()
    assert mail["To"].startswith("alpha@")
    assert mail["Subject"] == "Spareline：您的匹配方案有新进展"
    assert "各方均已接受" in mail.get_content()
    assert page in mail.get_content()

    # Their weeks lie ahead; the time to remind of them is put to now.
    place.run(_overdue_now(place, f"rounds/{names['round']}/proposals/{names['proposal']}"))
    reminded = {mail["To"].split("@")[0]: mail for mail in (postbox.next(), postbox.next())}
    assert reminded["alpha"]["Subject"] == "Spareline：请报告履约情况"
    assert reminded["beta"]["Subject"] == "Spareline: how did the delivery go?"
    assert page in reminded["beta"].get_content()

    late = {"party": "organizations/beta", "fulfilled": True, "late": True}
    assert call(place, "POST", f"{proposal}:report", late, who="beta").status == 200
    mail = postbox.next()
    assert (mail["To"].split("@")[0], "迟延" in mail.get_content()) == ("alpha", True)

    joins = {"email": "zhao@alpha.example", "displayName": "Zhao", "role": "ROLE_TRADER"}
    invited = {"member": joins, "password": "a long password"}
    path = f"/{alpha.split('/members/')[0]}/members"
    answer = call(place, "POST", path, invited)
    assert answer.status == 200, answer.text
    told = {mail["To"].split("@")[0]: mail for mail in (postbox.next(), postbox.next())}
    assert set(told) == {"alpha", "zhao"}
    assert told["zhao"]["Subject"] == "Spareline: you are invited"
    assert f"{HOME}/sign-in" in told["zhao"].get_content()
    assert "a long password" not in told["zhao"].get_content()
    assert f"{HOME}/organization/members" in told["alpha"].get_content()
    # That the address is taken is refused, and nobody hears of it.
    assert call(place, "POST", path, invited | {"requestId": str(uuid.uuid4())}).status == 409
    with pytest.raises(queue.Empty):
        postbox.got.get(timeout=1.5)
