"""The book at one moment, as messages and as bytes that are the same wherever they are written."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.message import Message

from spareline.market.v1.capability_pb2 import Capability
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization

_MAGIC = b"SPARELINE-BOOK-1\n"
_RECORD = struct.Struct(">BI")
_KINDS = (Capability, Organization, Offer, Demand)


class SnapshotError(ValueError):
    """The bytes are no snapshot of a book; the message says at which byte."""


@dataclass(frozen=True)
class BookSnapshot:
    """Open offers and demands with the organizations and capabilities known, each by name."""

    capabilities: tuple[Capability, ...]
    organizations: tuple[Organization, ...]
    offers: tuple[Offer, ...]
    demands: tuple[Demand, ...]

    @cached_property
    def canonical(self) -> bytes:
        """The canonical bytes: records by kind, then name, each serialized deterministically."""
        parts = [_MAGIC]
        for kind, messages in enumerate(self._by_kind()):
            for message in sorted(messages, key=lambda each: each.name):
                body = message.SerializeToString(deterministic=True)
                parts += [_RECORD.pack(kind, len(body)), body]
        return b"".join(parts)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical bytes, in hex."""
        return hashlib.sha256(self.canonical).hexdigest()

    def to_bytes(self) -> bytes:
        """The canonical bytes, compressed; the same book gives the same bytes."""
        return gzip.compress(self.canonical, compresslevel=6, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> BookSnapshot:
        """Read what `to_bytes` wrote.

        Raises:
            SnapshotError: the bytes are not what `to_bytes` writes.
        """
        try:
            raw = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise SnapshotError("not a compressed snapshot") from error
        found: tuple[list[Message], ...] = tuple([] for _ in _KINDS)
        for kind, body in _records(raw):
            found[kind].append(_KINDS[kind].FromString(body))
        return cls(*(tuple(messages) for messages in found))  # type: ignore[arg-type]

    def _by_kind(self) -> tuple[tuple[Capability | Organization | Offer | Demand, ...], ...]:
        return self.capabilities, self.organizations, self.offers, self.demands


def _records(raw: bytes) -> Iterator[tuple[int, bytes]]:
    if not raw.startswith(_MAGIC):
        raise SnapshotError("not a snapshot of a book")
    at = len(_MAGIC)
    while at < len(raw):
        if at + _RECORD.size > len(raw):
            raise SnapshotError(f"cut off at byte {at}")
        kind, size = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        if kind >= len(_KINDS) or at + size > len(raw):
            raise SnapshotError(f"cut off or unknown record at byte {at}")
        yield kind, raw[at : at + size]
        at += size
