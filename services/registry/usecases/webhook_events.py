"""From the market's events to deliveries: whom an event concerns, and what its message says.

The message names the resource and its state and nothing else, so no rule of disclosure can be
broken by it: whoever wants more reads the resource by its own rights.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from services.chassis.aggregates import Document
from services.chassis.events import Delivery, Poison
from services.registry.domain.instants import Clock
from services.registry.store.organizations import Organizations
from services.registry.store.webhooks import PENDING, Webhooks
from spareline.events.v1 import events_pb2
from spareline.market.v1.webhook_pb2 import Webhook
from spareline.options.v1 import options_pb2

DURABLE = "registry-webhooks"
SOURCE = "/spareline"
_NOUNS = ("proposal", "offer", "demand", "round")
_LEFT_OUT = ("OfferBalanced", "DemandBalanced")  # the ledger moves with every proposal anyhow
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}")


def _types() -> Mapping[str, type[Message]]:
    found: dict[str, type[Message]] = {}
    for name, descriptor in events_pb2.DESCRIPTOR.message_types_by_name.items():
        subject: str = descriptor.GetOptions().Extensions[options_pb2.subject]
        if subject.split(".")[1] in _NOUNS and name not in _LEFT_OUT:
            found[subject] = getattr(events_pb2, name)
    return found


TYPES = _types()
"""The events that can be had, by type."""
SUBJECTS = tuple(sorted(TYPES))


class WebhookEvents:
    """Turns each event into one delivery per webhook that wants it."""

    def __init__(self, store: Webhooks, organizations: Organizations, clock: Clock) -> None:
        self._store = store
        self._organizations = organizations
        self._clock = clock

    async def follow(self, event: Delivery) -> None:
        """Take up one event; one that came before changes nothing. Raises Poison."""
        noun = event.subject.split(".")[1]
        try:
            message = TYPES[event.subject].FromString(event.payload)
        except (KeyError, DecodeError) as error:
            raise Poison(f"no event of ours: {event.subject}") from error
        resource: Message = getattr(message, noun)
        if getattr(resource, "what_if", False):
            return  # only operators may know of it
        concerned = _concerned(noun, resource)
        acting = await self._acting(concerned or set())
        webhooks = await (
            self._store.of_all() if concerned is None else self._store.of(sorted(acting))
        )
        wanted = [(d, Webhook.FromString(d["body"])) for d in webhooks]
        identity = event.id if _ID.fullmatch(event.id) else _digest(event)
        await self._store.add(
            [
                self._delivery(document, event, identity, noun, resource, acting)
                for document, webhook in wanted
                if not webhook.paused
                and (not webhook.event_types or event.subject in webhook.event_types)
            ]
        )

    async def _acting(self, concerned: set[str]) -> dict[str, list[str]]:
        """Return, by who acts, for which of the concerned: each itself, and its delegates."""
        acting: dict[str, list[str]] = {}
        found = await self._organizations.get_many(sorted(concerned))
        for name in sorted(concerned):
            acting.setdefault(name, []).append(name)
            for platform in found[name].delegates if name in found else ():
                acting.setdefault(platform, []).append(name)
        return acting

    def _delivery(
        self,
        webhook: Document,
        event: Delivery,
        identity: str,
        noun: str,
        resource: Message,
        acting: Mapping[str, list[str]],
    ) -> Document:
        now = self._clock()
        plain = MessageToDict(resource)
        subject = str(plain.get("name", ""))
        body = {
            "specversion": "1.0",
            "id": identity,
            "source": SOURCE,
            "type": event.subject,
            "subject": subject,
            "time": event.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": {
                "kind": noun,
                "name": subject,
                "state": plain.get("state", ""),
                "generation": plain.get("generation", "0"),
                "organizations": acting.get(webhook["organization"], []),
            },
        }
        return {
            "_id": f"{webhook['_id']}/deliveries/{identity}",
            "webhook": webhook["_id"],
            "event": identity,
            "type": event.subject,
            "subject": subject,
            "state": PENDING,
            "attempts": 0,
            "status": 0,
            "error": "",
            "create_ms": now,
            "replay_ms": now,
            "last_ms": 0,
            "due_ms": now,
            "payload": json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        }


def _concerned(noun: str, resource: Message) -> set[str] | None:
    """Return the organizations that an event is about; None: everyone."""
    if noun == "round":
        return None
    if noun == "proposal":
        parties: Iterable[Message] = getattr(resource, "parties", ())
        return {getattr(party, "organization", "") for party in parties} - {""}
    return {"/".join(str(getattr(resource, "name", "")).split("/")[:2])}


def _digest(event: Delivery) -> str:
    return hashlib.sha256(f"{event.id}\n{event.sequence}".encode()).hexdigest()[:32]
