"""Sends deliveries that are due; any number of copies may do it at once."""

import asyncio
import ipaddress
import socket
import time
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from services.chassis import causes, faults, logs
from services.chassis.aggregates import Document
from services.chassis.causes import Said, said
from services.registry.domain import webhook_retries, webhook_signing, webhook_targets
from services.registry.domain.instants import Clock
from services.registry.domain.webhook_signing import Seal
from services.registry.store.webhooks import DEAD, DELIVERED, PENDING, Webhooks
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.webhook_pb2 import Webhook

SECONDS = 10.0
POLL_SECONDS = 1.0
LEASE_MS = 60_000
AT_ONCE = 10
_SWEEP_SECONDS = 3600.0
_AGENT = "Spareline-Webhooks/1"

_log = logs.get_logger("webhooks")


class PrivateTarget(OSError):  # noqa: N818
    """The host leads into a private network."""


class Guarded(AbstractResolver):
    """Resolves names to public addresses only, and the connection goes to what was checked.

    A name may lead elsewhere each time it is asked, so a check before the call would not do.
    """

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises PrivateTarget, OSError."""
        found = await self._inner.resolve(host, port, family)
        if not all(webhook_targets.is_public(ipaddress.ip_address(f["host"])) for f in found):
            raise PrivateTarget("the host leads into a private network")
        return found

    async def close(self) -> None:
        """Close what resolves."""
        await self._inner.close()


class WebhookSender:
    """Makes the attempts. `days`: how long a delivery is tried."""

    def __init__(
        self, store: Webhooks, seal: Seal, clock: Clock, *, private: bool, days: int
    ) -> None:
        self._store = store
        self._seal = seal
        self._clock = clock
        self._private = private
        self._days = days

    async def run(self) -> None:
        """Send what is due, for ever."""
        swept = float("-inf")
        connector = aiohttp.TCPConnector(
            resolver=None if self._private else Guarded(), limit=AT_ONCE, use_dns_cache=False
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        ) as session:
            while True:
                try:
                    sent = await self.send_due(session)
                    if time.monotonic() - swept > _SWEEP_SECONDS:
                        await self._store.sweep(self._clock())
                        swept = time.monotonic()
                except Exception as error:
                    if not faults.is_away(error):
                        raise
                    _log.warning("webhooks wait", error=type(error).__name__)
                    sent = 0
                if sent < AT_ONCE:
                    await asyncio.sleep(POLL_SECONDS)

    async def send_due(self, session: aiohttp.ClientSession) -> int:
        """Make the attempts that are due; return how many there were."""
        due = await self._store.due(self._clock(), AT_ONCE)
        await asyncio.gather(*(self._attempt(session, delivery) for delivery in due))
        return len(due)

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Document) -> None:
        if not await self._store.claim(delivery, self._clock() + LEASE_MS):
            return
        attempts = delivery["attempts"] + 1
        webhook = await self._store.aggregates.get(delivery["webhook"])
        status, wrong = await self._post(session, webhook, delivery)
        now = self._clock()
        fields: Document = {"status": status, "last_ms": now, **_kept(wrong)}
        if wrong is None:
            fields |= {"state": DELIVERED}
        else:
            due = webhook_retries.next_due(attempts, delivery["replay_ms"], now, self._days)
            gone = due is None or webhook is None
            fields |= {"state": DEAD} if gone else {"state": PENDING, "due_ms": due}
        await self._store.settle(delivery["_id"], attempts, fields)

    async def _post(
        self, session: aiohttp.ClientSession, webhook: Document | None, delivery: Document
    ) -> tuple[int, Said | None]:
        """Return the status of the answer, and what is wrong."""
        if webhook is None:
            return 0, said(cause_pb2.CAUSE_WEBHOOK_ENDED)
        url = Webhook.FromString(webhook["body"]).url
        wrong = webhook_targets.fault(url, private=self._private)
        if wrong is not None:
            return 0, wrong
        keys = self._keys(webhook)
        if not keys:
            return 0, said(cause_pb2.CAUSE_SECRET_UNREADABLE)
        payload = bytes(delivery["payload"])
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": _AGENT,
            **webhook_signing.headers(delivery["event"], self._clock() // 1000, payload, keys),
        }
        try:
            async with session.post(
                url, data=payload, headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError:
            return 0, said(cause_pb2.CAUSE_RECEIVER_SILENT, seconds=f"{SECONDS:g}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return 0, wrong_with(url, error)
        except Exception as error:  # one odd address must not stop what goes to all others
            _log.error("a webhook's attempt failed", webhook=webhook["_id"], exc_info=error)
            return 0, said(cause_pb2.CAUSE_ATTEMPT_FAILED)
        taken = 200 <= status < 300
        return status, None if taken else said(cause_pb2.CAUSE_RECEIVER_REFUSED, status=status)

    def _keys(self, webhook: Document) -> list[str]:
        stored = [webhook["secret"]]
        if webhook["previous_until_ms"] > self._clock():
            stored.append(webhook["previous_secret"])
        opened = (self._seal.open(bytes(each)) for each in stored)
        return [key for key in opened if key]


def _kept(wrong: Said | None) -> Document:
    """Return what a delivery keeps of an attempt's end: English words, and their cause."""
    if wrong is None:
        return {"error": "", "error_words": b""}
    words = causes.message(wrong).SerializeToString(deterministic=True)
    return {"error": wrong.what, "error_words": words}


def wrong_with(url: str, error: Exception) -> Said:
    """Return what broke a call to an address; it tells nothing of our own network."""
    cause = error.__cause__ or error
    if isinstance(cause, PrivateTarget) or "private network" in str(error):
        return said(cause_pb2.CAUSE_PRIVATE_NETWORK)
    if isinstance(error, aiohttp.ClientSSLError):
        return said(cause_pb2.CAUSE_CERTIFICATE_BAD)
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return said(cause_pb2.CAUSE_HOST_UNKNOWN, host=urlsplit(url).hostname)
    if isinstance(error, aiohttp.ClientConnectorError):
        return said(cause_pb2.CAUSE_NOBODY_LISTENS)
    return said(cause_pb2.CAUSE_CONNECTION_BROKE)
