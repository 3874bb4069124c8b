"""What must hold of the whole market once it has healed, whatever was killed and when."""

from collections import Counter
from typing import Any

from services.chassis.errors import DomainError
from spareline.market.v1 import demand_pb2, offer_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2, round_pb2
from spareline.registry.v1 import ledger_service_pb2 as ledgers
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e.crash.market import Answered, CrashMarket
from tests.e2e.crash.patience import becomes_true, granted

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party
Claim = ledgers.Claim
Cells = Counter[tuple[str, str, str]]

HEALING_SECONDS = 30.0
"""The reconciler comes every 3 s, twice over, and a restart; generous for a busy machine."""

_UNSETTLED = ("STATE_HOLDING", "STATE_CONFIRMING")
_HELD = frozenset({Proposal.STATE_PROPOSED})
_COMMITTED = frozenset(
    {Proposal.STATE_CONFIRMED, Proposal.STATE_FULFILLED, Proposal.STATE_DISPUTED}
)


async def settled(market: CrashMarket) -> None:
    """No round is under way, and no proposal is between two states for longer than the
    reconciler takes; every claim has a live proposal, with the same terms, and the other way."""

    async def left() -> str:
        rounds = (await market.operator.matching.ListRounds(pb.ListRoundsRequest())).rounds
        going = [r.name for r in rounds if r.state in (1, 2)]
        if going:
            return f"rounds under way: {going}"
        between = await market.all_proposals(*_UNSETTLED)
        if between:
            return f"between two states: {[(p.name, p.state) for p in between]}"
        return await _claims_differ(market)

    await becomes_true(left, HEALING_SECONDS)


async def _claims_differ(market: CrashMarket) -> str:
    claims = {claim.claim: claim for claim in await _claims(market)}
    live = {p.name: p for p in await market.all_proposals() if p.state in _HELD | _COMMITTED}
    if orphans := sorted(set(claims) - set(live)):
        return f"claims without a live proposal: {orphans}"
    if bare := sorted(set(live) - set(claims)):
        return f"live proposals without a claim: {bare}"
    for name, proposal in live.items():
        claim = claims[name]
        wanted = Claim.STATE_HELD if proposal.state in _HELD else Claim.STATE_COMMITTED
        if claim.state != wanted:
            return f"{name} is {proposal.state}, its claim {claim.state}"
        if claim.demand != proposal.demand or _claimed(claim) != _proposed(proposal):
            return f"{name} and its claim have other terms: {claim} {proposal}"
    return ""


async def _claims(market: CrashMarket) -> list[ledgers.Claim]:
    stream = market.operator.ledger.StreamClaims(ledgers.StreamClaimsRequest())
    return [claim async for claim in stream]


def _claimed(claim: ledgers.Claim) -> Cells:
    found: Cells = Counter()
    for leg in claim.legs:
        found[leg.offer, leg.line, leg.period] += leg.quantity
    return found


def _proposed(proposal: proposal_pb2.Proposal) -> Cells:
    found: Cells = Counter()
    for leg in proposal.legs:
        for delivery in leg.deliveries:
            found[leg.offer, leg.line, delivery.period] += delivery.quantity
    return found


async def nothing_held_twice(market: CrashMarket) -> None:
    """For each offer and period the claims add up to its balance, and that is within its
    capacity; for each demand the same within its quantity; the registry's own check agrees."""
    checked = await granted(
        lambda: market.operator.ledger.CheckLedger(ledgers.CheckLedgerRequest())
    )
    assert list(checked.breaches) == []
    drawn, postings = await _at_one_moment(market)
    for name, posting in postings.items():
        for cell, limit, used in _balances(posting):
            assert used == drawn[name, cell], f"{name} {cell}: {used} against {drawn[name, cell]}"
            assert used <= limit, f"{name} {cell}: {used} of {limit}"


async def _at_one_moment(
    market: CrashMarket,
) -> tuple[Counter[tuple[str, str]], dict[str, offer_pb2.Offer | demand_pb2.Demand]]:
    """What the claims draw, and the postings: read while no repair round moved anything."""
    while True:
        drawn = await _drawn(market)
        postings = {name: await read(market, name) for name in market.posted}
        if await _drawn(market) == drawn:
            return drawn, postings


async def _drawn(market: CrashMarket) -> Counter[tuple[str, str]]:
    drawn: Counter[tuple[str, str]] = Counter()
    for claim in await _claims(market):
        for leg in claim.legs:
            drawn[leg.offer, leg.period] += leg.quantity
            drawn[claim.demand, leg.line] += leg.quantity
    return drawn


def _balances(posting: offer_pb2.Offer | demand_pb2.Demand) -> list[tuple[str, int, int]]:
    if isinstance(posting, offer_pb2.Offer):
        limits = {each.period: each.quantity for each in posting.capacity}
        return [(b.period, limits[b.period], b.held + b.committed) for b in posting.balances]
    limits = {line.id: line.quantity for line in posting.lines}
    return [(b.line, limits[b.line], b.held + b.committed) for b in posting.balances]


async def read(market: CrashMarket, name: str) -> offer_pb2.Offer | demand_pb2.Demand:
    """Read a posting as its owner, who sees all of it."""
    registry = market.owner(name).registry
    if "/offers/" in name:
        offer: offer_pb2.Offer = await granted(
            lambda: registry.GetOffer(reg.GetOfferRequest(name=name))
        )
        return offer
    demand: demand_pb2.Demand = await granted(
        lambda: registry.GetDemand(reg.GetDemandRequest(name=name))
    )
    return demand


def _content(posting: Any) -> Any:
    kept = type(posting)()
    kept.CopyFrom(posting)
    for field in _MOVING:
        kept.ClearField(field)
    return kept


_MOVING = ("balances", "state", "update_time", "etag", "generation")


async def nothing_acknowledged_is_lost(market: CrashMarket) -> None:
    """Each acknowledged posting is there with the content of its answer; each acknowledged
    answer of a party stands in its proposal; each repeat is answered as the first time."""
    for name, posted in market.posted.items():
        found = await read(market, name)
        assert _content(found) == _content(posted.answer)
    while market.not_repeated:
        posted = market.not_repeated.pop()
        assert await posted.send() == posted.answer
    proposals = {p.name: p for p in await market.all_proposals()}
    for each in market.answered:
        if isinstance(each.answer, Proposal):
            _stands(each, proposals[each.request.name])
        again = await each.send()
        assert _same(each.request, again, each.answer), f"{each.request}{each.answer}{again}"


def _same(
    request: Any,
    again: proposal_pb2.Proposal | DomainError,
    first: proposal_pb2.Proposal | DomainError,
) -> bool:
    if isinstance(first, DomainError) or isinstance(again, DomainError):
        # A refusal is not stored: a repeat is refused too, for the same or a later reason.
        return isinstance(first, DomainError) and isinstance(again, DomainError)
    if isinstance(request, pb.AcceptCounterRequest):
        # Agreed to for good; whether the ledger has taken the terms shows when it has answered.
        return (again.name, again.terms_version >= first.terms_version) == (first.name, True)
    if first.state == Proposal.STATE_PROPOSED:
        return again == first
    # What owes the ledger a step is answered as it stands: the step may have been taken since.
    return _answered(again) == _answered(first)


def _answered(proposal: proposal_pb2.Proposal) -> proposal_pb2.Proposal:
    kept = Proposal()
    kept.CopyFrom(proposal)
    for field in ("etag", "generation", "update_time", "history"):
        kept.ClearField(field)
    if kept.state == Proposal.STATE_CONFIRMING:
        kept.state = Proposal.STATE_CONFIRMED
    for party in kept.parties:
        party.ClearField("contact")  # told from the confirmation on
    return kept


def _stands(sent: Answered, proposal: proposal_pb2.Proposal) -> None:
    [party] = [p for p in proposal.parties if p.organization == sent.request.party]
    if isinstance(sent.request, pb.CounterProposalRequest):
        assert "countered" in {entry.event for entry in proposal.history}, proposal
        return
    if isinstance(sent.request, pb.AcceptCounterRequest):
        assert proposal.terms_version == 2, proposal  # a tick less always fits
        return
    if isinstance(sent.request, pb.DeclineProposalRequest):
        assert proposal.state == Proposal.STATE_DECLINED, proposal
        assert party.answer == Party.ANSWER_DECLINED, proposal
        return
    assert party.answer == Party.ANSWER_ACCEPTED, proposal
    if all(p.answer == Party.ANSWER_ACCEPTED for p in proposal.parties):
        assert proposal.state == Proposal.STATE_CONFIRMED, proposal


async def book_is_right(market: CrashMarket) -> None:
    """Matching's book holds exactly the postings that are in play: no event was lost. In play is
    what is open, and a demand whose last part is held but not committed yet."""

    async def left() -> str:
        book = await market.operator.matching.GetBook(pb.GetBookRequest())
        offers = await _all(market, "Offers", "STATE_OPEN")
        demands = await _all(market, "Demands", "STATE_OPEN", "STATE_MATCHED")
        in_play = [
            each
            for each in demands
            if each.state == demand_pb2.Demand.STATE_OPEN or any(b.held for b in each.balances)
        ]
        known, wanted = (book.offers, book.demands), (len(offers), len(in_play))
        return "" if book.current and known == wanted else f"the book knows {known} of {wanted}"

    await becomes_true(left, HEALING_SECONDS)


async def _all(market: CrashMarket, kind: str, *states: str) -> list[Any]:
    request_type = reg.ListOffersRequest if kind == "Offers" else reg.ListDemandsRequest
    method = getattr(market.operator.registry, f"List{kind}")
    found: list[Any] = []
    token = ""
    while True:
        request = request_type(
            parent="organizations/-",
            filter=reg.PostingFilter(states=states),
            page_size=1000,
            page_token=token,
        )
        page = await method(request)
        found += page.offers if kind == "Offers" else page.demands
        token = page.next_page_token
        if not token:
            return found


async def whole(market: CrashMarket) -> None:
    """All of the above."""
    await settled(market)
    await nothing_held_twice(market)
    await nothing_acknowledged_is_lost(market)
    await settled(market)  # the repeats have changed nothing
    await book_is_right(market)


async def ended(market: CrashMarket, name: str) -> round_pb2.Round:
    """Return a round once it has ended."""
    found = round_pb2.Round()

    async def left() -> str:
        found.CopyFrom(await market.operator.matching.GetRound(pb.GetRoundRequest(name=name)))
        return f"{name} is in state {found.state}" if found.state in (1, 2) else ""

    await becomes_true(left, 60.0)
    return found
