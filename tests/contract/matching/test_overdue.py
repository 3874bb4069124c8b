"""A delivery that nobody reports, from the store over the bus to a mail: once, whatever crashes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, cast

import pytest

from services.chassis.aggregates import Aggregates
from services.chassis.events import Bus, Delivery
from services.chassis.mongo import Database
from services.chassis.outbox import Relay
from services.matching.domain.proposals import Report, report
from services.matching.leases import Leases
from services.matching.store.proposals import Draft, Filter, Proposals, Todo
from services.registry.domain.instants import now_ms
from services.registry.store.accounts import Accounts
from services.registry.store.mail import Mail
from services.registry.usecases.mail_news import MailNews
from services.registry.usecases.mail_sending import MailSender, Smtp
from spareline.events.v1 import events_pb2
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.market.v1.organization_pb2 import Member
from spareline.matching.v1.proposal_pb2 import Party, Proposal
from tests.unit.matching_service.samples import BUYER, MILL, MOULD, proposal

FIRMS = (BUYER, MILL, MOULD)
OVERDUE = "market.proposal.overdue.v1"


def agreed(name: str, last_week: datetime) -> Proposal:
    """A confirmed proposal whose deliveries all lie in one week; the mould maker has reported."""
    made = proposal(Proposal.STATE_CONFIRMED)
    made.name = f"rounds/r/proposals/{name}"
    year, week, _ = last_week.isocalendar()
    for leg in made.legs:
        leg.deliveries[0].period = f"{year}-W{week:02d}"
    for party in made.parties:
        party.answer = Party.ANSWER_ACCEPTED
    made.parties[2].answer = Party.ANSWER_FULFILLED
    return made


@pytest.fixture
async def store(database: Database) -> Proposals:
    """Deliveries that ended three weeks ago and this week."""
    made = Proposals(Aggregates(database["proposals"]))
    await made.ensure_indexes()
    now = datetime.now(UTC)
    found = [agreed("past", now - timedelta(weeks=3)), agreed("fresh", now)]
    await made.create([Draft(each, frozenset(), {}, 1) for each in found])
    return made


def copy(store: Proposals) -> Leases:
    """One copy of the service; reminders need neither the ledger nor answers."""
    return Leases(store, *(cast(Any, None) for _ in range(3)))


async def told(database: Database) -> list[tuple[str, str]]:
    """What waits to be published: (proposal, subject)."""
    found = await database["proposals"].find({"pending": True}).to_list(None)
    return [(d["_id"][-4:], event["subject"]) for d in found for event in d["outbox"]]


async def test_copies_that_sweep_at_once_remind_of_it_once(
    store: Proposals, database: Database
) -> None:
    await asyncio.gather(*(copy(store).remind() for _ in range(4)))
    await copy(store).remind()
    assert await told(database) == [("past", OVERDUE)]
    again = await store.get("rounds/r/proposals/past")
    assert again is not None
    assert [entry.event for entry in again.proposal.history] == ["overdue"]


async def waits(store: Proposals, party: str) -> list[str]:
    found = await store.page(Filter(party=party, awaiting=True), "", 10)
    return [each.name[-4:] for each in found]


async def test_who_was_reminded_finds_it_among_what_waits_until_it_has_reported(
    store: Proposals,
) -> None:
    assert await waits(store, BUYER) == []
    await copy(store).remind()
    assert [await waits(store, firm) for firm in FIRMS] == [["past"], ["past"], []]
    stored = await store.get("rounds/r/proposals/past")
    assert stored is not None
    reported = report(stored.proposal, BUYER, Report(Party.ANSWER_FULFILLED), datetime.now(UTC))
    assert await store.save(stored, reported, Todo.NOTHING)
    assert [await waits(store, firm) for firm in FIRMS] == [[], ["past"], []]


class Dying:
    """The real publisher, of a process that ends after the bus has taken the event."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, subject: str, payload: bytes, event_id: str) -> None:
        await self._bus.publisher.publish(subject, payload, event_id)
        raise ConnectionError("killed")


async def test_a_crash_after_the_event_went_out_tells_it_once(
    store: Proposals, database: Database, bus: Bus
) -> None:
    await copy(store).remind()
    with pytest.raises(ConnectionError):
        await Relay([database["proposals"]], cast(Any, Dying(bus))).relay_once()
    assert await told(database) == [("past", OVERDUE)]  # the next process finds it
    assert await Relay([database["proposals"]], bus.publisher).relay_once() == 1
    seen: list[Delivery] = []

    async def take(event: Delivery) -> None:
        seen.append(event)

    reading = asyncio.ensure_future(bus.consume("test-overdue", [OVERDUE], take))
    async with asyncio.timeout(20):
        while not seen:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    reading.cancel()
    [event] = seen
    assert events_pb2.ProposalOverdue.FromString(event.payload).proposal.name[-4:] == "past"


class Sender(MailSender):
    """Sends into a list, and may end like a killed process once the server has taken the mail."""

    def __init__(self, mail: Mail, accounts: Accounts) -> None:
        smtp = Smtp("127.0.0.1", 1, "", "", "none", "Spareline <s@market.example>")
        home = "https://market.example"
        super().__init__(mail, accounts, smtp, self.clock, address=home, digest_seconds=0)
        self.ahead_ms = 0
        self.killed = False
        self.sent: list[EmailMessage] = []

    def clock(self) -> int:
        return now_ms() + self.ahead_ms

    async def _send(self, mail: EmailMessage) -> None:
        self.sent.append(mail)
        if self.killed:
            raise asyncio.CancelledError


async def people(accounts: Accounts, firms: Sequence[str]) -> None:
    await accounts.ensure_indexes()
    for firm in firms:
        email = f"owner@{firm.rpartition('/')[2]}.example"
        person = Member(name=f"{firm}/members/owner", email=email, role=Member.ROLE_OWNER)
        body = person.SerializeToString()
        fields = {"name": person.name, "organization": firm, "create_ms": 1, "body": body}
        await accounts.insert(email, fields)


async def test_a_reminder_becomes_one_mail_to_each_who_has_not_reported(
    store: Proposals, database: Database
) -> None:
    accounts, mail = Accounts(database), Mail(database)
    await people(accounts, FIRMS)
    await mail.ensure_indexes()
    await copy(store).remind()
    [document] = await database["proposals"].find({"pending": True}).to_list(None)
    [stored] = document["outbox"]
    payload = bytes(stored["payload"])
    event = Delivery(OVERDUE, payload, stored["id"], 1, 1, datetime.now(UTC))
    news = MailNews(mail, accounts, now_ms)
    for _ in range(2):  # to two copies, or again after a crash
        await news.follow(event)

    sender = Sender(mail, accounts)
    sender.killed = True
    with pytest.raises(asyncio.CancelledError):
        await sender.send_due()  # taken by the mail server, and not noted any more
    sender.killed = False
    sender.ahead_ms = 10 * 60_000  # the dead one's turn has run out
    await sender.send_due()
    await news.follow(event)  # the acknowledgement was lost
    await sender.send_due()

    ids = {
        mail["To"]: {m["Message-ID"] for m in sender.sent if m["To"] == mail["To"]}
        for mail in sender.sent
    }
    assert set(ids) == {"owner@buyer.example", "owner@mill.example"}
    assert all(len(each) == 1 for each in ids.values())  # the same mail: servers drop the second
    assert len(sender.sent) == 3
    assert {each["Subject"] for each in sender.sent} == {"Spareline: how did the delivery go?"}
    assert "https://market.example/proposals/r/past" in sender.sent[0].get_content()


async def test_who_does_not_want_it_gets_none(store: Proposals, database: Database) -> None:
    accounts, mail = Accounts(database), Mail(database)
    await people(accounts, [BUYER])
    await mail.ensure_indexes()
    await mail.settings.insert(
        {"_id": f"{BUYER}/members/owner/mailSettings", "muted": [MailSettings.KIND_OVERDUE]}
    )
    found = events_pb2.ProposalOverdue(proposal=agreed("past", datetime.now(UTC)))
    payload = found.SerializeToString()
    await MailNews(mail, accounts, now_ms).follow(
        Delivery(OVERDUE, payload, "e", 1, 1, datetime.now(UTC))
    )
    assert await mail.waiting(now_ms()) == []
