"""What goes into a round, whole and as bytes: from these alone the round can be solved again."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.matching.domain.book_snapshot import BookSnapshot, SnapshotError
from services.matching.domain.declined import Declined
from services.matching.domain.problem import Problem, build
from spareline.matching.v1.policy_pb2 import FairnessAccount, Policy
from spareline.matching.v1.proposal_pb2 import Proposal

_MAGIC = b"SPARELINE-ROUND-1\n"
_SIZE = struct.Struct(">Q")


@dataclass(frozen=True)
class RoundInputs:
    """All that decides a round.

    ``now_period`` is the ordinal of the present week (`domain.periods`); ``fairness`` is by
    organization; ``pins`` are the proposals that hold or have committed capacity; ``counted``
    names the demands whose asked value is in the fairness accounts already. Above ``most_pairs``
    eligible pairs (0: never) lines keep a choice of theirs.
    """

    round_name: str
    book: BookSnapshot
    policy: Policy
    now_period: int
    seed: int
    time_limit_seconds: float
    fairness: Mapping[str, FairnessAccount] = field(default_factory=dict)
    declined: frozenset[Declined] = frozenset()
    heads: frozenset[str] = frozenset()
    pins: tuple[Proposal, ...] = ()
    counted: frozenset[str] = frozenset()
    most_pairs: int = 0

    def problem(self) -> Problem:
        """Build the problem; the same inputs give the same arrays.

        Raises:
            InvalidMarket: the book's numbers are too large to be summed exactly.
        """
        return build(
            self.book,
            self.policy,
            now_period=self.now_period,
            fairness=self.fairness,
            declined=self.declined,
            heads=self.heads,
            pins=self.pins,
            most_pairs=self.most_pairs,
        )

    def to_bytes(self) -> bytes:
        """Canonical bytes, compressed: the same inputs give the same bytes."""
        plain = {
            "round": self.round_name,
            "now_period": self.now_period,
            "seed": self.seed,
            "time_limit_seconds": self.time_limit_seconds,
            "declined": sorted(self.declined),
            "heads": sorted(self.heads),
            "counted": sorted(self.counted),
            "most_pairs": self.most_pairs,
        }
        accounts = [self.fairness[name] for name in sorted(self.fairness)]
        pins = sorted(self.pins, key=lambda each: each.name)
        sections = [
            json.dumps(plain, sort_keys=True).encode(),
            self.policy.SerializeToString(deterministic=True),
            _joined(each.SerializeToString(deterministic=True) for each in accounts),
            _joined(each.SerializeToString(deterministic=True) for each in pins),
        ]
        packed = gzip.compress(_joined(sections), compresslevel=6, mtime=0)
        return _MAGIC + _joined([packed, self.book.to_bytes()])

    @classmethod
    def from_bytes(cls, data: bytes) -> RoundInputs:
        """Read what `to_bytes` wrote.

        Raises:
            SnapshotError: the bytes are not what `to_bytes` writes.
        """
        if not data.startswith(_MAGIC):
            raise SnapshotError("these are not the inputs of a round")
        packed, book = _parts(data[len(_MAGIC) :])
        plain, policy, accounts, pins = _parts(gzip.decompress(packed))
        known = json.loads(plain)
        fairness = [FairnessAccount.FromString(each) for each in _parts(accounts)]
        return cls(
            round_name=known["round"],
            book=BookSnapshot.from_bytes(book),
            policy=Policy.FromString(policy),
            now_period=known["now_period"],
            seed=known["seed"],
            time_limit_seconds=known["time_limit_seconds"],
            fairness={each.organization: each for each in fairness},
            declined=frozenset(Declined(*each) for each in known["declined"]),
            heads=frozenset(known["heads"]),
            pins=tuple(Proposal.FromString(each) for each in _parts(pins)),
            counted=frozenset(known["counted"]),
            # Rounds from before there was such a limit weighed all.
            most_pairs=known.get("most_pairs", 0),
        )


def _joined(parts: Iterable[bytes]) -> bytes:
    return b"".join(_SIZE.pack(len(part)) + part for part in parts)


def _parts(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        if at + _SIZE.size > len(data):
            raise SnapshotError(f"cut off at byte {at}")
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if at + size > len(data):
            raise SnapshotError(f"cut off at byte {at}")
        found.append(data[at : at + size])
        at += size
    return found
