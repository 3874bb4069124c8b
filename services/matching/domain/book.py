"""The book: open offers and demands and what is known of their owners. A pure projection of events.

Messages come from the stream (whole) and from the ledger's answers (balances and state only), in
any order and more than once. Each thing keeps two generations, one of its terms and one of its
balances, so that an answer that overtakes an event can't make the book forget the event's terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.matching.domain.book_snapshot import BookSnapshot
from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization

Posting = TypeVar("Posting", Offer, Demand)


@dataclass
class _Entry(Generic[Posting]):
    """What is known of one offer or demand; `body` is None when it can't take part any more."""

    body: Posting | None = None
    terms_generation: int = -1
    balances_generation: int = -1


@dataclass
class _Shelf(Generic[Posting]):
    """The offers, or the demands. `lasting` states keep their terms, since they may open again."""

    open_state: int
    lasting: frozenset[int]
    entries: dict[str, _Entry[Posting]] = field(default_factory=dict)
    open_count: int = 0
    play_count: int = 0

    def take(self, message: Posting) -> bool:
        entry = self.entries.setdefault(message.name, _Entry())
        if message.generation <= entry.terms_generation:
            return False
        fresh = _copy(message)
        before = entry.body
        if message.generation < entry.balances_generation:
            if before is None:  # it ended later than this message was written
                entry.terms_generation = message.generation
                return False
            _put_balances(fresh, before, entry.balances_generation)
        else:
            entry.balances_generation = message.generation
        entry.terms_generation = message.generation
        self._put(entry, fresh)
        return True

    def take_balances(self, message: Posting) -> bool:
        entry = self.entries.get(message.name)
        if entry is None or message.generation <= entry.balances_generation:
            return False
        entry.balances_generation = message.generation
        if entry.body is None:
            return False
        fresh = _copy(entry.body)
        _put_balances(fresh, message, message.generation)
        self._put(entry, fresh)
        return True

    def _put(self, entry: _Entry[Posting], fresh: Posting) -> None:
        """Keep a message as it stands, and count it anew."""
        before, after = entry.body, fresh if fresh.state in self.lasting else None
        entry.body = after
        self.open_count += self._is_open(after) - self._is_open(before)
        self.play_count += self._plays(after) - self._plays(before)

    def _is_open(self, body: Posting | None) -> bool:
        return body is not None and body.state == self.open_state

    def _plays(self, body: Posting | None) -> bool:
        return self._is_open(body) or (
            body is not None and any(balance.held for balance in body.balances)
        )

    def get(self, name: str) -> Posting | None:
        entry = self.entries.get(name)
        return entry.body if entry is not None and self._is_open(entry.body) else None

    def in_play(self) -> tuple[Posting, ...]:
        """Return the open ones, and those whose last part is held but not committed yet."""
        bodies = [self.entries[name].body for name in sorted(self.entries)]
        return tuple(each for each in bodies if each is not None and self._plays(each))


class Book:
    """Organizations, capabilities, open offers and open demands. Not for several threads.

    Every ``apply_…`` returns whether the book changed; messages are copied, never kept.
    """

    def __init__(self) -> None:
        self._organizations: dict[str, Organization] = {}
        self._removed: set[str] = set()
        self._capabilities: dict[str, Capability] = {}
        self._offers: _Shelf[Offer] = _Shelf(Offer.STATE_OPEN, frozenset({Offer.STATE_OPEN}))
        self._demands: _Shelf[Demand] = _Shelf(
            Demand.STATE_OPEN, frozenset({Demand.STATE_OPEN, Demand.STATE_MATCHED})
        )
        self._snapshot: BookSnapshot | None = None

    def apply_organization(self, organization: Organization) -> bool:
        """Take in an organization as it stands; older generations and removed ones are ignored."""
        known = self._organizations.get(organization.name)
        if organization.name in self._removed:
            return False
        if known is not None and organization.generation <= known.generation:
            return False
        self._organizations[organization.name] = _copy(organization)
        return self._changed(True)

    def remove_organization(self, name: str) -> bool:
        """Forget an organization for good; its offers and demands no longer take part."""
        self._removed.add(name)
        return self._changed(self._organizations.pop(name, None) is not None)

    def apply_capability(self, capability: Capability) -> bool:
        """Take in a capability. It has no generation: the newest told is the one that counts."""
        if self._capabilities.get(capability.name) == capability:
            return False
        kept = Capability()
        kept.CopyFrom(capability)
        self._capabilities[capability.name] = kept
        return self._changed(True)

    def apply_offer(self, offer: Offer) -> bool:
        """Take in a whole offer."""
        return self._changed(self._offers.take(offer))

    def apply_demand(self, demand: Demand) -> bool:
        """Take in a whole demand."""
        return self._changed(self._demands.take(demand))

    def apply_offer_balances(self, offer: Offer) -> bool:
        """Take in name, generation, balances and state of an offer, as the ledger answers them."""
        return self._changed(self._offers.take_balances(offer))

    def apply_demand_balances(self, demand: Demand) -> bool:
        """Take in name, generation, balances and state of a demand, as the ledger answers them."""
        return self._changed(self._demands.take_balances(demand))

    def organization(self, name: str) -> Organization | None:
        """Return an organization as it is known."""
        return self._organizations.get(name)

    def capability(self, code: str) -> Capability | None:
        """Return a capability by its dotted code."""
        return self._capabilities.get(f"capabilities/{code}")

    def offer(self, name: str) -> Offer | None:
        """Return an open offer."""
        return self._offers.get(name)

    def demand(self, name: str) -> Demand | None:
        """Return an open demand."""
        return self._demands.get(name)

    def is_delegate(self, platform: str, organization: str) -> bool:
        """Tell whether the organization has agreed that the platform acts for it."""
        known = self._organizations.get(organization)
        return known is not None and platform in known.delegates

    def counts(self) -> tuple[int, int, int]:
        """Organizations known, open offers, open demands; nothing is built for it."""
        return len(self._organizations), self._offers.open_count, self._demands.open_count

    def counts_in_play(self) -> tuple[int, int, int]:
        """The same, with those offers and demands that a `snapshot` has beside the open ones."""
        return len(self._organizations), self._offers.play_count, self._demands.play_count

    def snapshot(self) -> BookSnapshot:
        """Return the book as it stands; later changes do not touch it.

        Demands that are matched by proposals still unanswered are in it, since a policy may
        reopen those.
        """
        if self._snapshot is None:
            self._snapshot = BookSnapshot(
                tuple(self._capabilities[name] for name in sorted(self._capabilities)),
                tuple(self._organizations[name] for name in sorted(self._organizations)),
                self._offers.in_play(),
                self._demands.in_play(),
            )
        return self._snapshot

    def digest(self) -> str:
        """SHA-256 over the canonical bytes of the book, in hex."""
        return self.snapshot().digest

    def _changed(self, changed: bool) -> bool:
        if changed:
            self._snapshot = None
        return changed


Kept = TypeVar("Kept", Organization, Offer, Demand)


def _copy(message: Kept) -> Kept:
    """A copy without what changes with every write and says nothing about the market."""
    copy = type(message)()
    copy.CopyFrom(message)
    copy.ClearField("etag")
    copy.ClearField("update_time")
    return copy


def _put_balances(to: Posting, source: Posting, generation: int) -> None:
    to.ClearField("balances")
    to.balances.extend(source.balances)
    to.state = source.state
    to.generation = generation
