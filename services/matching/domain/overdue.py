"""Who has not said how a delivery went though its weeks are over, and when that is asked for.

Pure, as the moves of proposals are. A proposal is reminded of once, for all who have not reported.
"""

from datetime import UTC, date, datetime, time, timedelta

from services.matching.domain import periods
from services.matching.domain.proposals import PLATFORM, Move, copy, note, require_state, stamp
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import proposal_pb2

Proposal = proposal_pb2.Proposal
Party = proposal_pb2.Party

GRACE = timedelta(days=3)
"""How long after the last agreed week nobody is asked."""
REMINDED = "overdue"
_WEEK_DAYS = 7


def reminder_time(proposal: proposal_pb2.Proposal) -> datetime | None:
    """Return when those who have not reported are to be reminded; None: not, or not again."""
    if proposal.state != Proposal.STATE_CONFIRMED or _reminded(proposal) or not silent(proposal):
        return None
    weeks = [periods.ordinal(each.period) for leg in proposal.legs for each in leg.deliveries]
    if not weeks:
        return None
    monday_after = date.fromordinal((max(weeks) + 1) * _WEEK_DAYS + 1)
    return datetime.combine(monday_after, time(), UTC) + GRACE


def silent(proposal: proposal_pb2.Proposal) -> set[int]:
    """Return the indexes of the parties of a confirmed proposal that have not reported."""
    accepted = Party.ANSWER_ACCEPTED
    return {i for i, party in enumerate(proposal.parties) if party.answer == accepted}


def reports_awaited(proposal: proposal_pb2.Proposal) -> set[int]:
    """Return the indexes of the parties that were reminded and have not reported yet."""
    due = proposal.state == Proposal.STATE_CONFIRMED and _reminded(proposal)
    return silent(proposal) if due else set()


def remind(proposal: proposal_pb2.Proposal, now: datetime) -> Move:
    """Remind, once, whoever has not reported. Raises FailedPrecondition (PROPOSAL_STATE)."""
    if _reminded(proposal):
        return Move(proposal, changed=False)
    require_state(proposal, {Proposal.STATE_CONFIRMED}, "reminded of")
    changed = copy(proposal, now)
    note(changed, now, REMINDED, PLATFORM)
    return Move(changed, (events_pb2.ProposalOverdue(proposal=changed, time=stamp(now)),))


def _reminded(proposal: proposal_pb2.Proposal) -> bool:
    return any(entry.event == REMINDED for entry in proposal.history)
