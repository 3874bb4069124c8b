"""Holding, committing and releasing over many documents, so that any crash heals.

Every claim stands in its demand and in each offer that it draws on. The demand's document is
the authority, and each operation writes it first:

- a hold puts the claim into the demand, then into the offers; what fails anywhere is taken
  back everywhere. A crash in between leaves a part: the next identical hold completes it, a
  release takes it away, or it runs out.
- a commit turns the demand's part, from which moment nothing but a cancellation frees it,
  then the offers' parts. An offer's part that is still held is committed when it is due.
- a release frees the demand's part, then the offers' parts. An offer's part whose demand
  knows nothing of it is freed when it is due.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from services.registry.domain.instants import Clock, now_ms
from services.registry.domain.ledger import Account, Claim, ClaimState, Refusal, Terms
from services.registry.store.postings import Postings
from services.registry.usecases.kinds import DEMANDS, OFFERS, unknown
from services.registry.usecases.ledger_accounts import Accounts, Decide
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer

Refusals = dict[str, Refusal]
Step = Callable[[Account, str], Refusal | None]
T = TypeVar("T", Claim, str)

RETRIES = 4
"""Further passes over claims that failed for want of what another failed claim gave back."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A claim by its name, as its proposal knows it."""

    claim: str
    demand: str
    offers: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: refusals by claim, and how the documents concerned stand."""

    refusals: Refusals
    offers: list[Offer]
    demands: list[Demand]


@dataclass(slots=True)
class _Batch:
    """One call: its accounts on both sides, and what was refused so far."""

    offers: Accounts[Offer]
    demands: Accounts[Demand]
    refusals: Refusals = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    refused_by: dict[str, set[str]] = field(default_factory=dict)

    def outcome(self) -> Outcome:
        return Outcome(self.refusals, self.offers.balances(), self.demands.balances())


class Ledger:
    """The one place where capacity is promised."""

    def __init__(self, offers: Postings, demands: Postings, clock: Clock = now_ms) -> None:
        self._offers = offers
        self._demands = demands
        self._clock = clock

    def _batch(self) -> _Batch:
        return _Batch(
            Accounts(OFFERS, self._offers, self._clock),
            Accounts(DEMANDS, self._demands, self._clock),
        )

    async def hold(self, claims: Sequence[Claim]) -> Outcome:
        """Hold each claim whole or not at all, in the order given."""
        batch = self._batch()
        await batch.demands.prefetch([claim.demand for claim in claims])
        await batch.offers.prefetch([o for claim in claims for o in claim.terms.offers()])
        pending = list(claims)
        await self._hold(batch, pending)
        for _ in range(RETRIES):
            # A claim may have failed only because of one that then failed elsewhere.
            pending = [
                claim
                for claim in pending
                if claim.claim in batch.refusals and batch.refused_by[claim.claim] <= batch.freed
            ]
            if not pending:
                break
            batch.freed.clear()
            for claim in pending:
                del batch.refusals[claim.claim], batch.refused_by[claim.claim]
            await self._hold(batch, pending)
        return batch.outcome()

    async def _hold(self, batch: _Batch, claims: Sequence[Claim]) -> None:
        whole = [replace(claim, previous=_base(batch, claim)) for claim in claims]
        by_demand: dict[str, list[Claim]] = defaultdict(list)
        for claim in whole:
            by_demand[claim.demand].append(claim)
        await self._each(batch, batch.demands, by_demand, Account.hold)
        standing = [claim for claim in whole if claim.claim not in batch.refusals]
        parts: dict[str, list[Claim]] = defaultdict(list)
        for claim in standing:
            for offer in claim.terms.offers():
                parts[offer].append(_part(claim, offer))
        await self._each(batch, batch.offers, parts, Account.hold)
        await self._undo(batch, [c for c in standing if c.claim in batch.refusals])
        good = [claim for claim in standing if claim.claim not in batch.refusals]
        await self._settle(batch, [claim for claim in good if claim.previous is not None])

    async def _undo(self, batch: _Batch, failed: Sequence[Claim]) -> None:
        """Take failed claims back: to the terms before them, or to nothing."""
        by_demand: dict[str, list[Claim]] = defaultdict(list)
        by_offer: dict[str, list[Claim]] = defaultdict(list)
        for claim in failed:
            by_demand[claim.demand].append(claim)
            for offer in claim.terms.offers():
                if offer not in batch.refused_by[claim.claim]:
                    by_offer[offer].append(claim)

        def revert(account: Account, claim: Claim) -> None:
            account.revert(claim.claim, claim.terms.version)

        await self._each(batch, batch.demands, by_demand, revert)
        await self._each(batch, batch.offers, by_offer, revert)
        batch.freed |= {*by_demand, *by_offer}

    async def _settle(self, batch: _Batch, replaced: Sequence[Claim]) -> None:
        """Drop the terms before, on the offers first: the demand remembers which those are."""
        by_offer: dict[str, list[Claim]] = defaultdict(list)
        by_demand: dict[str, list[Claim]] = defaultdict(list)
        for claim in replaced:
            assert claim.previous is not None
            by_demand[claim.demand].append(claim)
            for offer in dict.fromkeys([*claim.terms.offers(), *claim.previous.offers()]):
                by_offer[offer].append(claim)

        def settle(account: Account, claim: Claim) -> None:
            if account.side == "offer" and account.name not in claim.terms.offers():
                account.release(claim.claim)
            else:
                account.settle(claim.claim, claim.terms.version)

        await self._each(batch, batch.offers, by_offer, settle)
        await self._each(batch, batch.demands, by_demand, settle)

    async def commit(self, refs: Sequence[Ref]) -> Outcome:
        """Turn holds into commitments. A claim not held everywhere is refused, unchanged."""
        batch = self._batch()
        await batch.demands.prefetch([ref.demand for ref in refs])
        terms = {ref.claim: _held_terms(batch, ref) for ref in refs}
        named = [o for ref in refs for o in (*ref.offers, *_offers_of(terms[ref.claim]))]
        await batch.offers.prefetch(named)
        for ref in refs:
            refusal = _incomplete(batch, ref, terms[ref.claim])
            if refusal is not None:
                batch.refusals[ref.claim] = refusal
        good = [ref for ref in refs if ref.claim not in batch.refusals]
        others = {ref.claim: _other_offers(batch, ref, terms[ref.claim]) for ref in good}
        await self._each(batch, batch.demands, _by_demand(good), _committing(good))
        good = [ref for ref in good if ref.claim not in batch.refusals]
        by_offer = _by_offer({ref.claim: _offers_of(terms[ref.claim]) for ref in good})
        await self._each(batch, batch.offers, by_offer, _committing(good))
        # Terms that never settled may stand elsewhere still.
        given_up = _by_offer({ref.claim: others[ref.claim] for ref in good})
        await self._each(batch, batch.offers, given_up, lambda a, claim: a.release(claim))
        return batch.outcome()

    async def release(self, refs: Sequence[Ref], *, cancel: bool = False) -> Outcome:
        """Free what claims hold, at whatever version; with ``cancel`` what they committed too."""
        batch = self._batch()
        await batch.demands.prefetch([ref.demand for ref in refs])
        offers: dict[str, list[str]] = {}
        for ref in refs:
            account = batch.demands.account(ref.demand)
            present = None if account is None else account.claims.get(ref.claim)
            known = [] if present is None else [o for t in present.versions() for o in t.offers()]
            offers[ref.claim] = list(dict.fromkeys([*known, *ref.offers]))

        def free(account: Account, claim: str) -> Refusal | None:
            return account.release(claim, cancel=cancel)

        await self._each(batch, batch.demands, _by_demand(refs), free)
        left = {name: o for name, o in offers.items() if name not in batch.refusals}
        await self._each(batch, batch.offers, _by_offer(left), free)
        return batch.outcome()

    async def drop_part(self, offer: str, claim: str) -> int:
        """Free an offer's held part of a claim that its demand no longer draws on it for."""
        batch = self._batch()
        await self._each(batch, batch.offers, {offer: [claim]}, lambda a, c: a.release(c))
        return 1 - len(batch.refusals)

    async def _each(
        self,
        batch: _Batch,
        accounts: "Accounts[Offer] | Accounts[Demand]",
        claims: Mapping[str, Sequence[T]],
        step: Callable[[Account, T], Refusal | None],
    ) -> None:
        """Take one step per claim on each document.

        What one document decides is independent of the others: a decision may be taken
        again after a lost race, and then come out otherwise. Only at the end, when all are
        written, are the refusals put together.
        """
        refused: dict[str, Refusals] = {}

        def deciding(name: str, wanted: Sequence[T]) -> Decide:
            def decide(account: Account | None) -> None:
                mine = refused[name] = {}
                for claim in wanted:
                    refusal: Refusal | None = None
                    if account is not None:
                        refusal = step(account, claim)
                    elif isinstance(claim, Claim):
                        refusal = unknown(name)
                    if refusal is not None:
                        mine[claim.claim if isinstance(claim, Claim) else claim] = refusal

            return decide

        await accounts.change({name: deciding(name, wanted) for name, wanted in claims.items()})
        for name in claims:
            for claim, refusal in refused[name].items():
                batch.refusals.setdefault(claim, refusal)
                batch.refused_by.setdefault(claim, set()).add(name)


def _base(batch: _Batch, claim: Claim) -> Terms | None:
    """Return the terms that a higher version replaces, as the demand knows them."""
    account = batch.demands.account(claim.demand)
    present = None if account is None else account.claims.get(claim.claim)
    if present is None or present.state is ClaimState.COMMITTED:
        return None
    if present.terms.version >= claim.terms.version:
        return present.previous  # a repeat: what is unsettled has to be settled
    return present.previous or present.terms


def _part(claim: Claim, offer: str) -> Claim:
    previous = None if claim.previous is None else claim.previous.of_offer(offer)
    if previous is not None and not previous.legs:
        previous = None
    return replace(claim, terms=claim.terms.of_offer(offer), previous=previous)


def _held_terms(batch: _Batch, ref: Ref) -> Terms | None:
    account = batch.demands.account(ref.demand)
    present = None if account is None else account.claims.get(ref.claim)
    if present is None:
        return None
    return next((t for t in present.versions() if ref.version in (0, t.version)), None)


def _offers_of(terms: Terms | None) -> list[str]:
    return [] if terms is None else terms.offers()


def _other_offers(batch: _Batch, ref: Ref, terms: Terms | None) -> list[str]:
    account = batch.demands.account(ref.demand)
    assert account is not None
    every = [o for t in account.claims[ref.claim].versions() for o in t.offers()]
    return [o for o in dict.fromkeys(every) if o not in _offers_of(terms)]


def _incomplete(batch: _Batch, ref: Ref, terms: Terms | None) -> Refusal | None:
    """Return why a claim cannot be committed: where it is not held."""
    account = batch.demands.account(ref.demand)
    if account is None:
        return Refusal(reason_pb2.REASON_CLAIM_UNKNOWN, f"There is no {ref.demand}")
    if terms is None:
        return account.standing(ref.claim, ref.version)
    for offer in dict.fromkeys([*terms.offers(), *ref.offers]):
        held = batch.offers.account(offer)
        if held is None:
            return Refusal(reason_pb2.REASON_CLAIM_UNKNOWN, f"There is no {offer}")
        refusal = held.standing(ref.claim, terms.version)
        if refusal is not None:
            return refusal
    return None


def _committing(refs: Iterable[Ref]) -> Step:
    versions = {ref.claim: ref.version for ref in refs}
    return lambda account, claim: account.commit(claim, versions[claim])


def _by_demand(refs: Iterable[Ref]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for ref in refs:
        found[ref.demand].append(ref.claim)
    return found


def _by_offer(offers: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for claim, listed in offers.items():
        for offer in listed:
            found[offer].append(claim)
    return found
