"""Writes to members: all news that have gathered, in one mail. Any number of copies may do it."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

import aiosmtplib

from services.chassis import faults, logs
from services.chassis.aggregates import Document
from services.registry import mail_texts
from services.registry.domain.instants import Clock
from services.registry.store.accounts import Accounts, member
from services.registry.store.mail import Mail
from spareline.market.v1.mail_pb2 import MailSettings
from spareline.market.v1.organization_pb2 import Member

SECONDS = 20.0
_TURN_MS = 120_000
_KEPT_MS = 3 * 86_400_000
_PERMANENT = 500

_log = logs.get_logger("mail")


@dataclass(frozen=True, slots=True)
class Smtp:
    """The server that takes mail, and how it is spoken to."""

    host: str
    port: int
    user: str
    password: str
    security: Literal["starttls", "tls", "none"]
    sender: str


class MailSender:
    """Sends what is due: news whose oldest has waited for the digest's time."""

    def __init__(
        self,
        store: Mail,
        accounts: Accounts,
        smtp: Smtp,
        clock: Clock,
        *,
        address: str,
        digest_seconds: float,
    ) -> None:
        """``address``: where the pages are, for the links."""
        self._store = store
        self._accounts = accounts
        self._smtp = smtp
        self._clock = clock
        self._address = address.rstrip("/")
        self._digest_ms = round(digest_seconds * 1000)

    async def run(self) -> None:
        """Send, for ever."""
        pause = min(max(self._digest_ms / 4000, 0.1), 30.0)
        while True:
            try:
                await self.send_due()
                await self._store.sweep(self._clock() - _KEPT_MS)
            except Exception as error:
                if not faults.is_away(error):
                    raise
                _log.warning("mail waits", error=type(error).__name__)
            await asyncio.sleep(pause)

    async def send_due(self) -> None:
        """Write to each member whose news have waited long enough."""
        for name in await self._store.waiting(self._clock() - self._digest_ms):
            now = self._clock()
            if await self._store.take_turn(name, now, now + _TURN_MS):
                await self._write_to(name)

    async def _write_to(self, name: str) -> None:
        news = await self._store.news(name)
        account = await self._accounts.by_name(name)
        told = [each for each in news if await self._happened(each)]
        if account is not None and told:
            person = member(account)
            try:
                await self._send(self._mail(person, told))
            except aiosmtplib.SMTPRecipientsRefused as error:
                if any(each.code < _PERMANENT for each in error.recipients):
                    return
                _log.warning("an address takes no mail", member=name)
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                # The turn runs out by itself, and then it is tried again.
                _log.warning("mail was not taken", error=type(error).__name__)
                return
            except Exception as error:  # one odd address must not stop what goes to all others
                _log.error("a mail could not be written", member=name, exc_info=error)
        await self._store.done([each["_id"] for each in news], self._clock())
        await self._store.end_turn(name)

    async def _happened(self, news: Document) -> bool:
        """Tell whether it came about: an invitation is noted before the person is taken up."""
        if news["kind"] != MailSettings.KIND_INVITED:
            return True
        return await self._accounts.by_name(news["about"]) is not None

    async def _send(self, mail: EmailMessage) -> None:
        smtp = self._smtp
        await aiosmtplib.send(
            mail,
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.user or None,
            password=smtp.password or None,
            use_tls=smtp.security == "tls",
            start_tls=smtp.security == "starttls",
            timeout=SECONDS,
        )

    def _mail(self, person: Member, news: Sequence[Document]) -> EmailMessage:
        by_kind = _latest(news)
        mail = EmailMessage()
        mail["From"] = self._smtp.sender
        mail["To"] = person.email
        mail["Subject"] = mail_texts.subject(by_kind, person)
        mail["Date"] = formatdate(self._clock() / 1000)
        # The same news make the same id: a second copy after a crash can be told.
        digest = hashlib.sha256("\n".join(each["_id"] for each in news).encode()).hexdigest()[:32]
        mail["Message-ID"] = f"<{digest}@{self._smtp.sender.rpartition('@')[2].strip('>')}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["List-Unsubscribe"] = f"<{mail_texts.settings(self._address)}>"
        mail.set_content(mail_texts.body(by_kind, person, self._address))
        return mail


def _latest(news: Sequence[Document]) -> dict[int, list[str]]:
    """Return what news are about by the last that happened to each: earlier ones are stale."""
    last = {each["about"]: each["kind"] for each in news}
    found: dict[int, list[str]] = {}
    for about, kind in last.items():
        found.setdefault(kind, []).append(about)
    return found
