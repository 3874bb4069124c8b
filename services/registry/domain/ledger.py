"""The capacity ledger of one document, without I/O: what is held, committed and free.

An account has cells: the periods of an offer, or the lines of a demand. Each cell has a limit
(capacity, or the quantity asked) and each claim takes some of it. The invariant, after every
change: in each cell, held + committed is at most the limit. All quantities are in ticks.

A claim's terms may be replaced by a higher version. Until the replacement is settled on all
documents, the account keeps the previous terms too and counts the greater of both per cell,
so that going back always fits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from spareline.errors.v1 import reason_pb2

Side = Literal["offer", "demand"]


class ClaimState(StrEnum):
    """How a claim stands."""

    HELD = "held"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class Leg:
    """What a claim takes from one offer for one line in one period."""

    offer: str
    line: str
    period: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Terms:
    """One version of what a claim takes."""

    version: int
    legs: tuple[Leg, ...]

    def of_offer(self, offer: str) -> "Terms":
        """Return the part that concerns one offer."""
        return Terms(self.version, tuple(leg for leg in self.legs if leg.offer == offer))

    def offers(self) -> list[str]:
        """Return the offers that the terms draw on, each once, in order."""
        return list(dict.fromkeys(leg.offer for leg in self.legs))


@dataclass(frozen=True, slots=True)
class Claim:
    """What one proposal takes from the account. ``expire_ms`` is 0 once it is committed."""

    claim: str
    demand: str
    terms: Terms
    expire_ms: int
    state: ClaimState = ClaimState.HELD
    previous: Terms | None = None

    def versions(self) -> Iterator[Terms]:
        """Yield the terms that count: the present, and the previous until they are settled."""
        yield self.terms
        if self.previous is not None:
            yield self.previous


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change was not made: a value of ``spareline.errors.v1.Reason``, and words."""

    reason: int
    message: str


@dataclass(frozen=True, slots=True)
class Balance:
    """How one cell stands."""

    limit: int
    held: int
    committed: int

    @property
    def open(self) -> int:
        """What is neither held nor committed."""
        return self.limit - self.held - self.committed


class Account:
    """The claims on one offer or demand. Every change either keeps the invariant or is refused."""

    def __init__(
        self,
        name: str,
        side: Side,
        limits: Mapping[str, int],
        claims: Mapping[str, Claim],
        *,
        accepting: bool = True,
    ) -> None:
        """``accepting``: whether new claims may come in, as they may while it is open."""
        self.name = name
        self.side = side
        self.limits = dict(limits)
        self.claims = dict(claims)
        self.accepting = accepting
        self.changed: set[str] = set()

    def balances(self) -> dict[str, Balance]:
        """Return how each cell stands, in the order of the limits."""
        taken: dict[tuple[str, ClaimState], int] = {}
        for claim in self.claims.values():
            for cell, quantity in self._occupied(claim).items():
                key = (cell, claim.state)
                taken[key] = taken.get(key, 0) + quantity
        cells = dict.fromkeys([*self.limits, *(cell for cell, _ in taken)])
        return {
            cell: Balance(
                self.limits.get(cell, 0),
                taken.get((cell, ClaimState.HELD), 0),
                taken.get((cell, ClaimState.COMMITTED), 0),
            )
            for cell in cells
        }

    def breaches(self) -> list[str]:
        """Return every cell in which more is promised than there is, in words."""
        return [
            f"{self.name}: {balance.held} held + {balance.committed} committed exceed "
            f"{balance.limit} in {cell}"
            for cell, balance in self.balances().items()
            if balance.open < 0
        ]

    def full(self) -> bool:
        """Tell whether nothing is open in any cell."""
        return all(balance.open <= 0 for balance in self.balances().values())

    def hold(self, wanted: Claim) -> Refusal | None:
        """Put a claim in, replace its terms by a higher version, or take it as a repeat."""
        present = self.claims.get(wanted.claim)
        if present is not None:
            known = self._repeat(present, wanted)
            if known is not None:
                return known if known.reason else None
        elif not self.accepting:
            return Refusal(reason_pb2.REASON_NOT_OPEN, f"{self.name} is not open any more")
        refusal = self._fit(wanted)
        if refusal is None:
            self._put(wanted)
        return refusal

    def _repeat(self, present: Claim, wanted: Claim) -> Refusal | None:
        """Return a refusal, one without a reason for a repeat, or None for a replacement."""
        if wanted.terms.version < present.terms.version:
            return Refusal(
                reason_pb2.REASON_TERMS_CHANGED,
                f"{self.name} holds version {present.terms.version} of {wanted.claim}; "
                f"version {wanted.terms.version} is older",
            )
        if wanted.terms.version > present.terms.version:
            if present.state is ClaimState.COMMITTED:
                return Refusal(
                    reason_pb2.REASON_CLAIM_COMMITTED, f"{wanted.claim} is committed already"
                )
            return None
        if wanted.terms.legs != present.terms.legs or wanted.demand != present.demand:
            return Refusal(
                reason_pb2.REASON_CONFLICT,
                f"{wanted.claim} stands with other terms under version {wanted.terms.version}",
            )
        if present.state is ClaimState.HELD and wanted.expire_ms > present.expire_ms:
            self._put(replace(present, expire_ms=wanted.expire_ms))
        return Refusal(0, "")

    def settle(self, claim: str, version: int) -> None:
        """Forget the previous terms of a claim: the present ones hold everywhere."""
        present = self.claims.get(claim)
        if present is None or present.terms.version != version:
            return
        if present.previous is not None:
            self._put(replace(present, previous=None))

    def revert(self, claim: str, version: int) -> None:
        """Undo the hold of one version: back to the previous terms, or to nothing."""
        present = self.claims.get(claim)
        if (
            present is None
            or present.terms.version != version
            or present.state is ClaimState.COMMITTED
        ):
            return
        if present.previous is not None:
            self._put(replace(present, terms=present.previous, previous=None))
        else:
            self._remove(claim)

    def standing(self, claim: str, version: int) -> Refusal | None:
        """Return why a claim cannot be committed at a version (0: any), or None if it can."""
        present = self.claims.get(claim)
        if present is None:
            return Refusal(
                reason_pb2.REASON_CLAIM_UNKNOWN, f"{self.name} holds nothing for {claim}"
            )
        if version and version not in {terms.version for terms in present.versions()}:
            return Refusal(
                reason_pb2.REASON_CLAIM_UNKNOWN,
                f"{self.name} holds version {present.terms.version} of {claim}, not {version}",
            )
        return None

    def commit(self, claim: str, version: int) -> Refusal | None:
        """Turn a hold into a commitment, which never expires. A repeat changes nothing."""
        refusal = self.standing(claim, version)
        if refusal is not None:
            return refusal
        present = self.claims[claim]
        if present.state is ClaimState.COMMITTED:
            return None
        # A replacement that never settled is given up when the terms before it are confirmed.
        terms = next(t for t in present.versions() if version in (0, t.version))
        self._put(
            replace(present, terms=terms, previous=None, state=ClaimState.COMMITTED, expire_ms=0)
        )
        return None

    def release(self, claim: str, *, cancel: bool = False) -> Refusal | None:
        """Free what a claim holds; what it has committed only with ``cancel``."""
        present = self.claims.get(claim)
        if present is None:
            return None
        if present.state is ClaimState.COMMITTED and not cancel:
            return Refusal(
                reason_pb2.REASON_CLAIM_COMMITTED,
                f"{claim} is committed on {self.name}; only a cancellation frees it",
            )
        self._remove(claim)
        return None

    def limit_refusals(self, limits: Mapping[str, int]) -> dict[str, int]:
        """Return the least possible limit of each cell that new limits would put below it."""
        return {
            cell: balance.held + balance.committed
            for cell, balance in self.balances().items()
            if limits.get(cell, 0) < balance.held + balance.committed
        }

    def _fit(self, wanted: Claim) -> Refusal | None:
        others = {key: each for key, each in self.claims.items() if key != wanted.claim}
        free = {
            cell: balance.open
            for cell, balance in Account(self.name, self.side, self.limits, others)
            .balances()
            .items()
        }
        for cell, quantity in self._occupied(wanted).items():
            left = free.get(cell)
            if left is None and self.side == "demand":
                return Refusal(reason_pb2.REASON_DEMAND_EXCEEDED, f"{self.name} has no line {cell}")
            if quantity > (left or 0):
                return self._too_much(cell, quantity, left or 0)
        return None

    def _too_much(self, cell: str, quantity: int, left: int) -> Refusal:
        if self.side == "offer":
            return Refusal(
                reason_pb2.REASON_CAPACITY_EXCEEDED,
                f"{self.name} has {left} ticks left in {cell}; {quantity} are wanted",
            )
        return Refusal(
            reason_pb2.REASON_DEMAND_EXCEEDED,
            f"{self.name} still wants {left} ticks of line {cell}; {quantity} are brought",
        )

    def _occupied(self, claim: Claim) -> dict[str, int]:
        greatest: dict[str, int] = {}
        for terms in claim.versions():
            sums: dict[str, int] = {}
            for leg in terms.legs:
                cell = leg.period if self.side == "offer" else leg.line
                sums[cell] = sums.get(cell, 0) + leg.quantity
            for cell, quantity in sums.items():
                greatest[cell] = max(greatest.get(cell, 0), quantity)
        return greatest

    def _put(self, claim: Claim) -> None:
        self.claims[claim.claim] = claim
        self.changed.add(claim.claim)

    def _remove(self, claim: str) -> None:
        del self.claims[claim]
        self.changed.add(claim)
