"""What a round proposes, made ready to be stored: times, who is hidden, which terms were judged."""

from datetime import datetime

from services.matching.domain import counters, fairness
from services.matching.domain.declined import judged_terms
from services.matching.domain.proposals import stamp
from services.matching.redact import hides
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.proposals import Draft
from spareline.matching.v1 import proposal_pb2


class Drafting:
    """Makes the drafts of one round; the book is the one that the round was solved on."""

    def __init__(self, inputs: RoundInputs, now: datetime) -> None:
        self._lease = inputs.policy.lease.ToTimedelta()
        self._now = now
        self._organizations = {each.name: each for each in inputs.book.organizations}
        self._offers = {each.name: each for each in inputs.book.offers}
        self._demands = {each.name: each for each in inputs.book.demands}

    def draft(self, proposal: proposal_pb2.Proposal) -> Draft:
        """Return a proposal as it is stored for the first time."""
        made = proposal_pb2.Proposal()
        made.CopyFrom(proposal)
        made.create_time.CopyFrom(stamp(self._now))
        made.update_time.CopyFrom(stamp(self._now))
        made.lease_expire_time.CopyFrom(stamp(self._now + self._lease))
        made.generation = 1
        demand = self._demands[made.demand]
        return Draft(made, self._hidden(made), self._terms(made), fairness.value_won(made, demand))

    def _terms(self, made: proposal_pb2.Proposal) -> dict[str, str]:
        lines = {line.id: line for line in self._demands[made.demand].lines}
        return {
            f"{leg.offer}|{leg.line}": judged_terms(self._offers[leg.offer], lines[leg.line])
            for leg in made.legs
        }

    def _hidden(self, made: proposal_pb2.Proposal) -> frozenset[int]:
        """Indexes of the parties that want to be unnamed: by themselves, or for this posting."""
        hidden = {
            index
            for index, party in enumerate(made.parties)
            if hides(self._organizations[party.organization].identity_disclosure)
        }
        if hides(self._demands[made.demand].disclosure.identity):
            hidden.add(counters.DEMANDER)
        for leg in made.legs:
            if hides(self._offers[leg.offer].disclosure.identity):
                hidden.add(leg.party_index)
        return frozenset(hidden)


def same_terms(earlier: proposal_pb2.Proposal, later: proposal_pb2.Proposal) -> bool:
    """Tell whether two proposals for a demand ask the same of everyone."""
    return list(earlier.legs) == list(later.legs)
