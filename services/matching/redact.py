"""What a reader sees of a proposal, and of a round.

A party sees whom it deals with by the identity disclosure of each organization and posting until
the proposal is confirmed, then by name and contact; of the legs an offering party sees its own.
Operators see all but the contacts. Of a round all but operators see what sums up no private price.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from google.protobuf.message import Message

from services.chassis import causes
from services.chassis.causes import said
from services.matching.domain import counters, scale
from services.matching.domain.proposals import AGREED, DELIVERED
from spareline.errors.v1 import cause_pb2
from spareline.market.v1 import disclosure_pb2, organization_pb2
from spareline.matching.v1 import policy_pb2, proposal_pb2, round_pb2

Proposal = proposal_pb2.Proposal
Organizations = Callable[[str], organization_pb2.Organization | None]

_HIDES = frozenset(
    {disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION, disclosure_pb2.DISCLOSURE_LEVEL_NEVER}
)
# Names were given away at confirmation; a cancellation does not take them back.
_NAMED = AGREED | {Proposal.STATE_CANCELLED}

_REPORTED = DELIVERED | {proposal_pb2.Party.ANSWER_FAILED}

_SUMS_OF_SIZE: Final = ("pairs", "pairs_left_out", "components")
_SUMS_OF_PROGRESS: Final = (
    "best_value",
    "bound",
    "has_bound",
    "components_done",
    "components_total",
)
_SUMS_OF_OUTCOME: Final = (
    "objective",
    "terms",
    "upper_bound",
    "certified_bound",
    "gini_permille",
    "concentration_permille",
    "blocking_pairs",
    "blocking_pairs_before",
    "stability_cost",
    "offer_concentration_permille",
    "demand_hhi",
    "offer_hhi",
    "value_kept_permille",
    "mean_distance_km",
    "same_region_permille",
    "ledger_gini_permille",
)


def hides(level: int) -> bool:
    """Tell whether a disclosure level of an identity hides it before confirmation."""
    return level in _HIDES


def for_operator(proposal: proposal_pb2.Proposal) -> proposal_pb2.Proposal:
    """Return what an operator sees: everything but how to reach the parties."""
    seen = _copy(proposal)
    for party in seen.parties:
        party.ClearField("contact")
    return seen


def for_party(
    proposal: proposal_pb2.Proposal,
    reader: str,
    hidden: frozenset[int],
    organizations: Organizations,
) -> proposal_pb2.Proposal:
    """Return what a party sees. ``hidden``: indexes of parties that were hidden at the start."""
    seen = _copy(proposal)
    named = proposal.state in _NAMED
    own = {i for i, party in enumerate(seen.parties) if party.organization == reader}
    rated = all(party.answer in _REPORTED for party in seen.parties)
    unnamed: set[int] = set()
    for index, party in enumerate(seen.parties):
        known = organizations(party.organization)
        party.own = index in own
        if not rated and index not in own:
            party.ClearField("rating")  # nobody rates in answer to a rating
        _show_contact(party, known, shown=proposal.state in AGREED and index not in own)
        wants = index in hidden or (known is not None and hides(known.identity_disclosure))
        if wants and not named and index not in own:
            unnamed.add(index)
            party.display_name = _pseudonym(known)
            party.organization = ""
    _hide_postings(seen, unnamed)
    if counters.DEMANDER not in own:
        _keep_own_legs(seen, own)
    return seen


def legs_seen(proposal: proposal_pb2.Proposal, reader: str) -> list[int]:
    """Return the true indexes of the legs that a party sees, in the order it sees them."""
    own = {i for i, party in enumerate(proposal.parties) if party.organization == reader}
    if counters.DEMANDER in own:
        return list(range(len(proposal.legs)))
    return [i for i, leg in enumerate(proposal.legs) if leg.party_index in own]


def round_for_member(round_: round_pb2.Round) -> round_pb2.Round:
    """Return what all but operators see of a round: nothing that sums up private prices.

    Whoever knows all other summands of a sum reads the last one off it; a count of eligible pairs
    tells how many of one's own offers are within another's limit; and a digest can be tried out
    against guesses of a whole book. The gap stays, rounded up to a step of the scale.
    """
    seen = round_pb2.Round()
    seen.CopyFrom(round_)
    seen.ClearField("book_digest")
    if seen.failure:
        failed = said(cause_pb2.CAUSE_ROUND_FAILED)  # why tells of sizes, too
        seen.failure = str(failed)
        seen.failure_words.CopyFrom(causes.message(failed))
    _clear(seen.size, _SUMS_OF_SIZE)
    _clear(seen.progress, _SUMS_OF_PROGRESS)
    _clear(seen.outcome, _SUMS_OF_OUTCOME)
    gap = max(0, seen.outcome.gap_ppm)
    seen.outcome.gap_ppm = int(scale.up(np.array([gap]))[0])
    return seen


def policy_for_member(policy: policy_pb2.Policy) -> policy_pb2.Policy:
    """Take out of a policy as it is read who made and adopted it: that is among operators."""
    _clear(policy, ("author", "adopter"))
    return policy


def _clear(message: Message, fields: Iterable[str]) -> None:
    for field in fields:
        message.ClearField(field)


def _show_contact(
    party: proposal_pb2.Party, known: organization_pb2.Organization | None, *, shown: bool
) -> None:
    if not shown:
        party.ClearField("contact")
    elif known is not None and known.HasField("contact"):
        party.contact.CopyFrom(known.contact)  # as it is today, not as it was then


def _pseudonym(known: organization_pb2.Organization | None) -> str:
    return known.pseudonym if known is not None and known.pseudonym else "A member of the market"


def _hide_postings(seen: proposal_pb2.Proposal, unnamed: set[int]) -> None:
    if counters.DEMANDER in unnamed:
        seen.demand_alias = seen.parties[counters.DEMANDER].display_name
        seen.demand = ""
    for leg in seen.legs:
        if leg.party_index in unnamed:
            leg.offer = ""
    if seen.HasField("counter") and seen.counter.party_index in unnamed:
        seen.counter.party = ""


def _keep_own_legs(seen: proposal_pb2.Proposal, own: set[int]) -> None:
    kept = [index for index, leg in enumerate(seen.legs) if leg.party_index in own]
    place = {index: position for position, index in enumerate(kept)}
    legs = [seen.legs[index] for index in kept]
    wanted = [leg for leg in seen.counter.legs if leg.leg_index in place]
    for leg in wanted:
        leg.leg_index = place[leg.leg_index]
    if seen.HasField("counter"):
        own_counter = seen.counter.party_index in own
        if not wanted and not own_counter:
            seen.ClearField("counter")  # it is between others
        else:
            _replace_counter_legs(seen, wanted)
    copies = [_leg(leg) for leg in legs]
    del seen.legs[:]
    seen.legs.extend(copies)
    counters.set_totals(seen)


def _replace_counter_legs(
    seen: proposal_pb2.Proposal, wanted: list[proposal_pb2.CounterLeg]
) -> None:
    copies = []
    for leg in wanted:
        kept = proposal_pb2.CounterLeg()
        kept.CopyFrom(leg)
        copies.append(kept)
    del seen.counter.legs[:]
    seen.counter.legs.extend(copies)


def _leg(leg: proposal_pb2.Leg) -> proposal_pb2.Leg:
    kept = proposal_pb2.Leg()
    kept.CopyFrom(leg)
    return kept


def _copy(proposal: proposal_pb2.Proposal) -> proposal_pb2.Proposal:
    seen = Proposal()
    seen.CopyFrom(proposal)
    return seen
