"""What came of a round, stored before any capacity is held for it."""

from collections.abc import Callable, Iterable
from datetime import datetime

from services.matching.domain.proposals import stamp
from services.matching.rounds.runner import RoundResult
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.artifacts import ANSWER, FLOWS, SHARES, Artifacts
from services.matching.store.explanations import Explanations, by_part
from services.matching.store.proposals import Proposals
from services.matching.usecases.answers import Answers
from services.matching.usecases.drafting import Drafting, same_terms
from services.matching.usecases.round_end import ended
from services.matching.usecases.round_writer import RoundWriter
from services.matching.usecases.settlement import utc_now
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import round_pb2

Round = round_pb2.Round


class RoundOutcome:
    """Keeps what rounds have found."""

    def __init__(
        self,
        proposals: Proposals,
        artifacts: Artifacts,
        explanations: Explanations,
        answers: Answers,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._proposals = proposals
        self._artifacts = artifacts
        self._explanations = explanations
        self._answers = answers
        self._now = now

    async def keep(self, writer: RoundWriter, inputs: RoundInputs, result: RoundResult) -> None:
        """Store the answer and why, and the proposals as drafts; a what-if round ends with it.

        Raises Cancelled when it was asked to stop: nothing is held then.
        """
        name, order = writer.round.name, writer.stored.document["order"]
        await self._artifacts.put(name, ANSWER, result.answer)
        await self._artifacts.put(name, FLOWS, result.flows)
        await self._artifacts.put(name, SHARES, result.shares)
        what_if = writer.round.what_if
        for part, some in by_part(result.explanations).items():
            await self._explanations.put(some, order, what_if=what_if, part=part)
        if what_if:
            await self._conclude_what_if(writer, result)
            return
        stays = await self._store_drafts(inputs, result)

        def pass_on(round_: round_pb2.Round) -> None:
            _describe(round_, result)
            round_.progress.phase = "hold"

        # From here on the round is only ever finished.
        await writer.write(pass_on, unless_cancelled=True, holding=True)
        await self._supersede(inputs, set(result.reopened) - stays)

    async def _store_drafts(self, inputs: RoundInputs, result: RoundResult) -> set[str]:
        """Store what is proposed anew; return the names of reopened proposals that stay."""
        before = {pin.demand: pin for pin in inputs.pins if pin.name in result.reopened}
        drafting = Drafting(inputs, self._now())
        stays: set[str] = set()
        fresh = []
        for proposal in result.drafts:
            earlier = before.get(proposal.demand)
            if earlier is not None and same_terms(earlier, proposal):
                stays.add(earlier.name)
            else:
                fresh.append(drafting.draft(proposal))
        await self._proposals.create(fresh)
        return stays

    async def _supersede(self, inputs: RoundInputs, names: Iterable[str]) -> None:
        found = await self._proposals.get_many(sorted(names))
        for stored in found.values():
            await self._answers.supersede(stored, inputs.round_name)

    async def _conclude_what_if(self, writer: RoundWriter, result: RoundResult) -> None:
        def conclude(round_: round_pb2.Round) -> None:
            _describe(round_, result)
            round_.state = Round.STATE_COMPLETED
            round_.outcome.proposals = 0
            round_.progress.phase = "done"
            round_.end_time.CopyFrom(stamp(self._now()))

        await writer.write(
            conclude,
            event=lambda r: [events_pb2.RoundCompleted(round=r, time=stamp(self._now()))],
            unless_cancelled=True,
        )
        ended(writer.round)


def _describe(round_: round_pb2.Round, result: RoundResult) -> None:
    round_.outcome.CopyFrom(result.outcome)
    round_.size.CopyFrom(result.size)
    round_.book_digest = result.book_digest
    round_.engine_version = result.engine_version
