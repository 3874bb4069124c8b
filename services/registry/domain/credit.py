"""An organization's credit grade: a Bayesian estimate of how often it keeps its word.

The estimate is the Beta reputation system of Jøsang and Ismail (15th Bled Electronic Commerce
Conference, 2002): good and bad experiences, each with a weight, are added to the two
parameters of a Beta distribution. Their forgetting factor is applied continuously: a weight
halves every 180 days, so nobody is marked for ever. The prior Beta(2, 2) puts a newcomer in
the middle (mean 0.5, grade C) with wide bounds.

The grade is read off the mean of the distribution, (2 + good) / (4 + good + bad):

    A from 0.80 (six kept promises and none broken: 8/10)
    B from 0.65 (three kept: 5/7)
    C from 0.45
    D from 0.30 (one broken and none kept: 2/5)
    E below    (three broken: 2/7)

Weights and events are in thousandths of one full experience.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from services.chassis.causes import said
from services.chassis.errors import FailedPrecondition
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1.organization_pb2 import CreditEvent, Organization
from spareline.matching.v1.proposal_pb2 import Party, Proposal

HALF_LIFE_MS = 180 * 86_400_000
PRIOR = (2.0, 2.0)
FULL = 1000
THRESHOLDS = (("A", 0.80), ("B", 0.65), ("C", 0.45), ("D", 0.30), ("E", 0.0))
EVENTS_KEPT = 500
_NINE_IN_TEN = 1.645  # the standard normal's 95th percentile

FULFILLED = FULL
LATE = -FULL // 4
DISPUTED = -FULL
DECLINED_AFTER_ACCEPTANCE = -FULL // 2
VERIFIED = {
    Organization.VERIFICATION_UNSPECIFIED: 0,
    Organization.VERIFICATION_CONTACT: FULL // 4,
    Organization.VERIFICATION_DOCUMENTS: FULL,
    Organization.VERIFICATION_ON_SITE: FULL * 3 // 2,
}

Kind = Literal["fulfilled", "late", "disputed", "declined_after_acceptance", "verified"]
_TERMS_CHANGE = ("countered", "counter_accepted", "counter_declined")


@dataclass(frozen=True, slots=True)
class Experience:
    """One event behind a grade. ``weight`` is in thousandths: good above 0, bad below."""

    id: str
    organization: str
    kind: Kind
    time_ms: int
    weight: int
    proposal: str = ""
    contested: bool = False
    note: str = ""
    verdict: int = 0
    """A ``CreditEvent.Verdict``."""
    verdict_reason: str = ""
    verdict_ms: int = 0

    def present_weight(self, instant_ms: int) -> float:
        """Return what is left of its weight, in whole experiences: good above 0, bad below."""
        if self.verdict == CreditEvent.VERDICT_STRUCK:
            return 0.0
        age = max(0, instant_ms - self.time_ms)
        weight: float = self.weight / FULL * 0.5 ** (age / HALF_LIFE_MS)
        return weight / 2 if self.contested else weight

    def document(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The two parameters of the Beta distribution."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The expected share of promises kept, from 0 to 1."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def grade(self) -> str:
        """A to E."""
        return next(grade for grade, least in THRESHOLDS if self.mean >= least)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between these the share lies nine in ten times (normal approximation, cut at 0 and 1)."""
        total = self.alpha + self.beta
        deviation = math.sqrt(self.alpha * self.beta / (total**2 * (total + 1)))
        return (
            max(0.0, self.mean - _NINE_IN_TEN * deviation),
            min(1.0, self.mean + _NINE_IN_TEN * deviation),
        )


def estimate(experiences: Sequence[Experience], instant_ms: int) -> Estimate:
    """Return the estimate at an instant: contested counts half, what was struck out nothing."""
    alpha, beta = PRIOR
    for each in experiences:
        weight = each.present_weight(instant_ms)
        alpha += max(0.0, weight)
        beta += max(0.0, -weight)
    return Estimate(alpha, beta)


def with_new(present: Sequence[Experience], new: Sequence[Experience]) -> list[Experience] | None:
    """Return the list with what is new in it, the newest last; None when nothing is.

    Only the newest are kept: the oldest of so many hardly weigh.
    """
    known = {each.id for each in present}
    added = [each for each in new if each.id not in known]
    if not added:
        return None
    return sorted([*present, *added], key=lambda each: (each.time_ms, each.id))[-EVENTS_KEPT:]


def contest(experience: Experience, note: str) -> Experience:
    """Return the experience as one that its owner does not agree with.

    Raises FailedPrecondition (CREDIT_EVENT_STATE) once an operator has decided.
    """
    if experience.verdict:
        raise FailedPrecondition(
            reason_pb2.REASON_CREDIT_EVENT_STATE, said(cause_pb2.CAUSE_CREDIT_EVENT_DECIDED)
        )
    return replace(experience, contested=True, note=note)


def decide(experience: Experience, verdict: int, reason: str, instant_ms: int) -> Experience:
    """Return a contested experience with what an operator has decided.

    Raises FailedPrecondition (CREDIT_EVENT_STATE) when it is not contested.
    """
    if not experience.contested:
        raise FailedPrecondition(
            reason_pb2.REASON_CREDIT_EVENT_STATE,
            said(cause_pb2.CAUSE_CREDIT_EVENT_NOT_CONTESTED),
        )
    return replace(
        experience,
        contested=False,
        verdict=verdict,
        verdict_reason=reason,
        verdict_ms=instant_ms,
    )


def of_fulfilled(proposal: Proposal, time_ms: int) -> list[Experience]:
    """Both sides reported delivery: each party kept its word, unless it was late.

    With several of them it is not known which was late, so each loses its share of the weight.
    """
    late = _accused(proposal, Party.ANSWER_LATE)
    weights = [
        (party.organization, FULFILLED * (len(late) - 1) // len(late) if i in late else FULFILLED)
        for i, party in enumerate(proposal.parties)
    ]
    return [
        _experience(proposal, organization, "fulfilled", time_ms, weight)
        for organization, weight in weights
        if weight
    ]


def of_delayed(proposal: Proposal, time_ms: int) -> list[Experience]:
    """A side reported that the other was late: a quarter of a broken promise, shared by them."""
    late = _accused(proposal, Party.ANSWER_LATE)
    return [
        _experience(proposal, proposal.parties[i].organization, "late", time_ms, LATE // len(late))
        for i in late
    ]


def of_disputed(proposal: Proposal, time_ms: int) -> list[Experience]:
    """A side reported a failure: it counts against the parties on the other side.

    With several of them it is not known which failed, so they share the weight.
    """
    accused = _accused(proposal, Party.ANSWER_FAILED)
    weight = DISPUTED // max(1, len(accused))
    return [
        _experience(proposal, proposal.parties[i].organization, "disputed", time_ms, weight)
        for i in accused
    ]


def _accused(proposal: Proposal, answer: int) -> list[int]:
    """Indexes of the parties of which the other side, and not they themselves, gave an answer."""
    accusing = {party.side for party in proposal.parties if party.answer == answer}
    return [
        i
        for i, party in enumerate(proposal.parties)
        if party.answer != answer and accusing - {party.side}
    ]


def of_declined(proposal: Proposal, time_ms: int) -> list[Experience]:
    """A decline is free, unless the same party had accepted these very terms before."""
    accepted: set[int] = set()
    broke: set[int] = set()
    for entry in proposal.history:
        if entry.event in _TERMS_CHANGE:
            accepted.clear()
        elif entry.event == "accepted":
            accepted.add(entry.party_index)
        elif entry.event == "declined" and entry.party_index in accepted:
            broke.add(entry.party_index)
    return _broken(proposal, broke, time_ms)


def of_cancelled(proposal: Proposal, time_ms: int) -> list[Experience]:
    """A party called off what was confirmed. After a dispute, that has counted already."""
    if any(entry.event == "disputed" for entry in proposal.history):
        return []
    broke = {entry.party_index for entry in proposal.history if entry.event == "cancelled"}
    return _broken(proposal, broke, time_ms)


def of_verification(
    organization: str, before: int, after: int, generation: int, time_ms: int
) -> list[Experience]:
    """Return what another level of verification is worth: the difference of the two."""
    weights = {int(level): weight for level, weight in VERIFIED.items()}
    difference = weights.get(after, 0) - weights.get(before, 0)
    if not difference:
        return []
    identity = f"verified-{generation}"
    return [Experience(identity, organization, "verified", time_ms, difference)]


def _broken(proposal: Proposal, indexes: set[int], time_ms: int) -> list[Experience]:
    kind: Kind = "declined_after_acceptance"
    return [
        _experience(
            proposal,
            proposal.parties[index].organization,
            kind,
            time_ms,
            DECLINED_AFTER_ACCEPTANCE,
        )
        for index in sorted(indexes)
        if 0 <= index < len(proposal.parties)
    ]


def _experience(
    proposal: Proposal, organization: str, kind: Kind, time_ms: int, weight: int
) -> Experience:
    # One proposal counts once for each kind, however often its event is delivered.
    digest = hashlib.sha256(proposal.name.encode()).hexdigest()[:24]
    identity = f"{kind.replace('_', '-')}-{digest}"
    return Experience(identity, organization, kind, time_ms, weight, proposal.name)
