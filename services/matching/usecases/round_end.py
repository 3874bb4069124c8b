"""The end of a round: its stored proposals are held, counted and told. Safe to run again.

Everything that it needs lies in the store, so that any process can end a round whose own
process died once all its proposals had been stored.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from services.matching import metrics
from services.matching.domain import fairness, proposals
from services.matching.domain.explained import explanation_name
from services.matching.domain.proposals import stamp
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.artifacts import INPUTS, Artifacts
from services.matching.store.explanations import HELD, Explanations
from services.matching.store.memory import BrokenOff, Memory, Standings
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.usecases.round_writer import RoundWriter
from services.matching.usecases.settlement import Settlement, utc_now
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import explanation_pb2, policy_pb2, proposal_pb2, round_pb2

Proposal = proposal_pb2.Proposal
Round = round_pb2.Round

_BATCH = 500


class RoundEnd:
    """Ends rounds whose proposals are stored."""

    def __init__(
        self,
        store: Proposals,
        artifacts: Artifacts,
        explanations: Explanations,
        memory: Memory,
        settlement: Settlement,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._explanations = explanations
        self._memory = memory
        self._settlement = settlement
        self._now = now

    async def finish(self, writer: RoundWriter, inputs: RoundInputs | None = None) -> None:
        """Hold what the round proposes, note how all fared, and complete it."""
        name = writer.round.name
        while holding := await self._store.of_round(name, Proposal.STATE_HOLDING, _BATCH):
            await self._settlement.hold_all(holding)
        made = await self._store.all_of_round(name)
        failed = [each for each in made if each.proposal.state == Proposal.STATE_FAILED]
        await self._explain_failures(failed, writer)
        if inputs is None:
            inputs = await self._stored_inputs(name)
        waits: Mapping[str, int] = {}
        if inputs is not None:
            waits = await self._note_fairness(name, inputs, made)
            await self._use_up_heads(inputs.heads)

        def complete(round_: round_pb2.Round) -> None:
            round_.state = Round.STATE_COMPLETED
            round_.outcome.proposals = len(made) - len(failed)
            round_.outcome.proposals_failed = len(failed)
            round_.outcome.waiting_demands[:] = fairness.by_wait(waits.values())
            round_.progress.phase = "done"
            round_.end_time.CopyFrom(stamp(self._now()))

        await writer.write(complete, event=self._completed)
        ended(writer.round)

    async def abandon(self, name: str, why: str) -> None:
        """Fail the stored proposals of a round that will not propose; nothing stays held."""
        while holding := await self._store.of_round(name, Proposal.STATE_HOLDING, _BATCH):
            now = self._now()
            moves = [
                (each, proposals.fail(each.proposal, now, why), Todo.RELEASE) for each in holding
            ]
            await self._store.save_many(moves)

    async def _stored_inputs(self, name: str) -> RoundInputs | None:
        data = await self._artifacts.get(name, INPUTS)
        return None if data is None else await asyncio.to_thread(RoundInputs.from_bytes, data)

    async def _explain_failures(self, failed: Iterable[Stored], writer: RoundWriter) -> None:
        round_ = writer.round
        explained = [
            explanation_pb2.Explanation(
                name=explanation_name(round_.name, each.proposal.demand),
                subject=each.proposal.demand,
                title=each.proposal.title,
                outcome="hold_failed",
                round=round_.name,
            )
            for each in failed
        ]
        order = writer.stored.document["order"]
        await self._explanations.put(explained, order, what_if=round_.what_if, part=HELD)

    async def _note_fairness(
        self, name: str, inputs: RoundInputs, made: Iterable[Stored]
    ) -> Mapping[str, int]:
        """Note how all fared; return how long each demand has waited that still does."""
        before = await self._memory.fairness.latest()
        won = [p.proposal for p in made if p.proposal.state != Proposal.STATE_FAILED]
        # A round in which nobody won anything passed nobody over, so nobody has waited for it.
        present = inputs.book.demands if won else ()
        waits = before.waits
        if before.round == name:  # a crash came after this, before what follows from it
            taken_off = before.broken
            newly_counted = {demand.name for demand in present}
        else:
            broken = await self._memory.broken.all()
            accounts = {**before.accounts, **_lessened(before.accounts, broken)}
            counted = await self._memory.counted.among([d.name for d in present])
            update = await asyncio.to_thread(fairness.updated, accounts, present, won, counted)
            taken_off = tuple(each.proposal for each in broken)
            newly_counted = set(update.newly_counted)
            accounts |= update.accounts
            if won:
                served = {each.demand for each in (*won, *inputs.pins)}
                waits = fairness.waits(waits, (demand.name for demand in present), served)
            await self._memory.fairness.put(
                Standings(accounts, name, before.number + 1, taken_off, waits)
            )
        await self._memory.counted.add(newly_counted)
        await self._memory.broken.remove(taken_off)
        return waits

    async def _use_up_heads(self, heads: Iterable[str]) -> None:
        entries = await self._memory.heads.all()
        used = [entry for demand in heads for entry in entries.get(demand, ())]
        await self._memory.heads.remove(used)

    def _completed(self, round_: round_pb2.Round) -> list[events_pb2.RoundCompleted]:
        return [events_pb2.RoundCompleted(round=round_, time=stamp(self._now()))]


def ended(round_: round_pb2.Round) -> None:
    """Count a round that has ended."""
    metrics.ROUNDS.labels(Round.State.Name(round_.state)).inc()
    if round_.state == Round.STATE_COMPLETED:
        metrics.ROUND_GAP.set(round_.outcome.gap_ppm)
    if round_.HasField("start_time"):
        took = round_.end_time.ToMilliseconds() - round_.start_time.ToMilliseconds()
        metrics.ROUND_SECONDS.observe(max(0.0, took / 1000))


def _lessened(
    accounts: Mapping[str, policy_pb2.FairnessAccount], broken: Iterable[BrokenOff]
) -> dict[str, policy_pb2.FairnessAccount]:
    """The accounts of those whose winnings broke off, with that taken off."""
    changed: dict[str, policy_pb2.FairnessAccount] = {}
    for each in broken:
        before = changed.get(each.organization) or accounts.get(each.organization)
        if before is None:
            before = policy_pb2.FairnessAccount(organization=each.organization)
        changed[each.organization] = fairness.given_back(before, each.value)
    return changed
