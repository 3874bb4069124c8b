"""The end of a round: its stored proposals are held, counted and told. Safe to run again.

Everything that it needs lies in the store, so that any process can end a round whose own
process died once all its proposals had been stored.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from services.chassis.access import organization_of
from services.matching import metrics
from services.matching.domain import fairness, proposals
from services.matching.domain.proposals import stamp
from services.matching.rounds.snapshot import RoundInputs
from services.matching.store.artifacts import Artifacts
from services.matching.store.explanations import Explanations
from services.matching.store.memory import BrokenOff, Fared, Memory
from services.matching.store.proposals import Proposals, Stored, Todo
from services.matching.usecases.round_writer import RoundWriter
from services.matching.usecases.settlement import Settlement, utc_now
from spareline.events.v1 import events_pb2
from spareline.matching.v1 import explanation_pb2, policy_pb2, proposal_pb2, round_pb2

Proposal = proposal_pb2.Proposal
Round = round_pb2.Round

INPUTS = "inputs"
_BATCH = 200


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
        name, order = writer.round.name, writer.stored.document["order"]
        while holding := await self._store.of_round(name, Proposal.STATE_HOLDING, _BATCH):
            await self._settlement.hold_all(holding)
        made = await self._store.all_of_round(name)
        failed = [each for each in made if each.proposal.state == Proposal.STATE_FAILED]
        await self._explain_failures(failed, writer)
        if inputs is None:
            inputs = await self._stored_inputs(name)
        if inputs is not None:
            await self._note_fairness(name, order, inputs, made)
            await self._use_up_heads(inputs.heads)

        def complete(round_: round_pb2.Round) -> None:
            round_.state = Round.STATE_COMPLETED
            round_.outcome.proposals = len(made) - len(failed)
            round_.outcome.proposals_failed = len(failed)
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
        await self._explanations.put(explained, order, what_if=round_.what_if)

    async def _note_fairness(
        self, name: str, order: str, inputs: RoundInputs, made: Iterable[Stored]
    ) -> None:
        fared = await self._memory.fairness.all()
        broken = await self._memory.broken.all()
        done = {org for org, each in fared.items() if each.round == name}
        taken_off = _taken_off(fared, broken, done, name)
        accounts = {org: each.account for org, each in fared.items() if org not in done}
        accounts.update({org: each.account for org, each in taken_off.items()})
        won = [p.proposal for p in made if p.proposal.state != Proposal.STATE_FAILED]
        counted = await self._memory.counted.among([d.name for d in inputs.book.demands])
        # A round in which nobody won anything passed nobody over, so nobody has waited for it.
        present = inputs.book.demands if won else ()
        update = await asyncio.to_thread(fairness.updated, accounts, present, won, counted)
        changed = {
            org: Fared(account, name, taken_off[org].broken if org in taken_off else ())
            for org, account in update.accounts.items()
            if org not in done
        }
        await self._memory.fairness.put({**taken_off, **changed}, order)
        await self._memory.counted.add(update.newly_counted)
        settled = {each for org in done for each in fared[org].broken}
        settled |= {each for fare in taken_off.values() for each in fare.broken}
        await self._memory.broken.remove(sorted(settled))

    async def _use_up_heads(self, heads: Iterable[str]) -> None:
        entries = await self._memory.heads.all()
        used = [entry for demand in heads for entry in entries.get(demand, ())]
        await self._memory.heads.remove(used)

    def _completed(self, round_: round_pb2.Round) -> list[events_pb2.RoundCompleted]:
        return [events_pb2.RoundCompleted(round=round_, time=stamp(self._now()))]


def explanation_name(round_name: str, subject: str) -> str:
    """Return the resource name of the explanation of a demand or an offer."""
    organization = organization_of(subject).removeprefix("organizations/")
    return f"{round_name}/explanations/{organization}-{subject.rsplit('/', 1)[-1]}"


def ended(round_: round_pb2.Round) -> None:
    """Count a round that has ended."""
    metrics.ROUNDS.labels(Round.State.Name(round_.state)).inc()
    if round_.state == Round.STATE_COMPLETED:
        metrics.ROUND_GAP.set(round_.outcome.gap_ppm)
    if round_.HasField("start_time"):
        took = round_.end_time.ToMilliseconds() - round_.start_time.ToMilliseconds()
        metrics.ROUND_SECONDS.observe(max(0.0, took / 1000))


def _taken_off(
    fared: Mapping[str, Fared], broken: Iterable[BrokenOff], done: set[str], name: str
) -> dict[str, Fared]:
    """Accounts with what broke off taken off their winnings."""
    changed: dict[str, Fared] = {}
    for each in broken:
        if each.organization in done:
            continue
        before = changed.get(each.organization) or fared.get(each.organization)
        account = (
            before.account
            if before is not None
            else policy_pb2.FairnessAccount(organization=each.organization)
        )
        names = changed[each.organization].broken if each.organization in changed else ()
        lessened = fairness.given_back(account, each.value)
        changed[each.organization] = Fared(lessened, name, (*names, each.proposal))
    return changed
