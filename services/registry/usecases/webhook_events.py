"""From the market's events to deliveries: whom an event concerns, and what its message says.

The message names the resource and its state and nothing else, so no rule of disclosure can be
broken by it: whoever wants more reads the resource by its own rights.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _News:
    """An event, taken apart. ``concerned``: the organizations that it is about; None: everyone."""

    event: Delivery
    noun: str
    resource: Message
    concerned: frozenset[str] | None


class WebhookEvents:
    """Turns each event into one delivery per webhook that wants it.

    What has come is taken up together, and the webhooks are read once for all of it: after the
    events came, so that a webhook gets all that happened since it was made.
    """

    def __init__(self, store: Webhooks, organizations: Organizations, clock: Clock) -> None:
        self._store = store
        self._organizations = organizations
        self._clock = clock

    async def follow(self, events: Sequence[Delivery]) -> None:
        """Take up events; those that came before change nothing. Raises Poison."""
        news = [each for each in map(_taken_apart, events) if each is not None]
        delegates = await self._delegates({name for each in news for name in each.concerned or ()})
        webhooks = await self._webhooks(news, delegates)
        await self._store.add(
            [delivery for each in news for delivery in self._deliveries(each, webhooks, delegates)]
        )

    async def _delegates(self, concerned: set[str]) -> dict[str, Sequence[str]]:
        """Return who acts for each of the organizations beside itself."""
        if not concerned:
            return {}
        found = await self._organizations.get_many(sorted(concerned))
        return {name: found[name].delegates if name in found else () for name in concerned}

    async def _webhooks(
        self, news: Sequence[_News], delegates: Mapping[str, Sequence[str]]
    ) -> list[tuple[Document, Webhook]]:
        if not news:
            return []
        if any(each.concerned is None for each in news):
            found = await self._store.of_all()
        else:
            acting = {*delegates, *(each for some in delegates.values() for each in some)}
            found = await self._store.of(sorted(acting))
        return [(document, Webhook.FromString(document["body"])) for document in found]

    def _deliveries(
        self,
        news: _News,
        webhooks: Sequence[tuple[Document, Webhook]],
        delegates: Mapping[str, Sequence[str]],
    ) -> Iterator[Document]:
        acting = _acting(news.concerned or frozenset(), delegates)
        for document, webhook in webhooks:
            told = news.concerned is None or document["organization"] in acting
            wanted = not webhook.event_types or news.event.subject in webhook.event_types
            if told and wanted and not webhook.paused:
                yield self._delivery(document, news, acting)

    def _delivery(
        self,
        webhook: Document,
        news: _News,
        acting: Mapping[str, list[str]],
    ) -> Document:
        now, event = self._clock(), news.event
        identity = event.id if _ID.fullmatch(event.id) else _digest(event)
        plain = MessageToDict(news.resource)
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
                "kind": news.noun,
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


def _taken_apart(event: Delivery) -> _News | None:
    """Return what an event says; None when nobody is to be told. Raises Poison."""
    noun = event.subject.split(".")[1]
    try:
        message = TYPES[event.subject].FromString(event.payload)
    except (KeyError, DecodeError) as error:
        raise Poison(f"no event of ours: {event.subject}") from error
    resource: Message = getattr(message, noun)
    if getattr(resource, "what_if", False):
        return None  # only operators may know of it
    return _News(event, noun, resource, _concerned(noun, resource))


def _concerned(noun: str, resource: Message) -> frozenset[str] | None:
    """Return the organizations that an event is about; None: everyone."""
    if noun == "round":
        return None
    if noun == "proposal":
        parties: Iterable[Message] = getattr(resource, "parties", ())
        return frozenset(getattr(party, "organization", "") for party in parties) - {""}
    return frozenset({"/".join(str(getattr(resource, "name", "")).split("/")[:2])})


def _acting(
    concerned: frozenset[str], delegates: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Return, by who acts, for which of the concerned: each itself, and its delegates."""
    acting: dict[str, list[str]] = {}
    for name in sorted(concerned):
        for who in (name, *delegates[name]):
            acting.setdefault(who, []).append(name)
    return acting


def _digest(event: Delivery) -> str:
    return hashlib.sha256(f"{event.id}\n{event.sequence}".encode()).hexdigest()[:32]
