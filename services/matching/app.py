"""The composition root of matching: everything is opened and wired together here."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.longrunning import operations_pb2, operations_pb2_grpc

from services.chassis import events, grpc_client, mongo
from services.chassis.aggregates import Aggregates
from services.chassis.app import App
from services.chassis.grpc_server import grpc_server
from services.chassis.outbox import Relay
from services.chassis.tokens import TokenVerifier
from services.matching.engine import SolverProcess
from services.matching.follower import Follower
from services.matching.grpc_api.operations import RULES, OperationsServicer
from services.matching.grpc_api.service import MatchingServicer
from services.matching.identity import ServiceIdentity
from services.matching.leases import Leases, every
from services.matching.ledger import Ledger
from services.matching.recording import Recorder
from services.matching.rounds.runner import RoundRunner
from services.matching.scheduler import Scheduler
from services.matching.settings import MatchingSettings
from services.matching.store.artifacts import Artifacts
from services.matching.store.explanations import Explanations
from services.matching.store.memory import Memory
from services.matching.store.policies import Policies
from services.matching.store.proposals import Proposals
from services.matching.store.round_lock import RoundLock
from services.matching.store.rounds import Rounds
from services.matching.usecases.analysis import Analysis
from services.matching.usecases.answers import Answers
from services.matching.usecases.clearing import Clearing
from services.matching.usecases.deliveries import DeliveryDesk
from services.matching.usecases.inbox import Inbox
from services.matching.usecases.policies import PolicyBook
from services.matching.usecases.reading import ReadingRoom, delegations_of
from services.matching.usecases.round_end import RoundEnd
from services.matching.usecases.round_outcome import RoundOutcome
from services.matching.usecases.round_start import RoundStart
from services.matching.usecases.rounds import RoundDesk
from services.matching.usecases.settlement import Settlement
from services.matching.usecases.watch import REMEMBERED, Feed, Watch
from services.matching.work.sharing import Sharing
from spareline.matching.v1 import matching_service_pb2, matching_service_pb2_grpc, round_pb2

_BREAKS = ("market.proposal.declined.", "market.proposal.expired.")
_MEASURE_SECONDS = 15.0


@dataclass
class Stores:
    """Everything that lies in matching's database."""

    proposals: Proposals
    rounds: Rounds
    policies: Policies
    artifacts: Artifacts
    explanations: Explanations
    memory: Memory


async def build(
    app: App, settings: MatchingSettings, *, solver: SolverProcess | None = None
) -> int:
    """Open, wire and start matching; return the port that it serves on.

    Waits for a store, bus or registry that is not there yet. A solver that is given is not closed
    with the app. Raises StoreUnfit, OSError (port).
    """
    database = await app.enter(mongo.connect(settings.mongo_url, settings.mongo_database))
    await mongo.self_check(database)
    app.probe("store", lambda: mongo.ping(database))
    bus = await app.enter(events.connect(settings.nats_url, name="matching"))
    await bus.ensure_streams()
    app.probe("bus", bus.ping)
    stores, relay = await _open_stores(database, bus)
    app.spawn("relay", relay.run())

    anonymous = grpc_client.channel(settings.registry_address)
    app.push(anonymous.close)
    identity = ServiceIdentity(anonymous, settings.service_secret)
    registry = grpc_client.channel(settings.registry_address, token=identity.token)
    app.push(registry.close)

    recorder = Recorder(bus.publisher)
    app.spawn("recorder", recorder.run())
    if solver is None:
        solver = SolverProcess()
        app.push(solver.close)
    parts = await _wire(app, settings, stores, database, bus, registry, solver)
    verifier = TokenVerifier(identity.jwks)
    return await grpc_server(
        app,
        settings.grpc_host,
        settings.grpc_port,
        [
            (
                matching_service_pb2.DESCRIPTOR.services_by_name["MatchingService"],
                matching_service_pb2_grpc.add_MatchingServiceServicer_to_server,
                parts.matching,
            ),
            (
                operations_pb2.DESCRIPTOR.services_by_name["Operations"],
                operations_pb2_grpc.add_OperationsServicer_to_server,
                parts.operations,
            ),
        ],
        verifier,
        delegations_of(lambda: parts.follower.book),
        extra_access=RULES,
        recorder=recorder.changed,
    )


async def _open_stores(database: mongo.Database, bus: events.Bus) -> tuple[Stores, Relay]:
    aggregates = [database[name] for name in ("proposals", "rounds", "policies", "policy_pointers")]
    relay = Relay(aggregates, bus.publisher)
    proposals, rounds, policies, pointers = (Aggregates(each, relay.wake) for each in aggregates)
    stores = Stores(
        Proposals(proposals),
        Rounds(rounds),
        Policies(policies, pointers),
        Artifacts(database["artifacts"]),
        Explanations(database["explanations"]),
        Memory(database),
    )
    for store in (
        stores.proposals,
        stores.rounds,
        stores.policies,
        stores.artifacts,
        stores.explanations,
        stores.memory.fairness,
    ):
        await store.ensure_indexes()
    return stores, relay


@dataclass
class Parts:
    """What serves calls."""

    matching: MatchingServicer
    operations: OperationsServicer
    follower: Follower


async def _wire(
    app: App,
    settings: MatchingSettings,
    stores: Stores,
    database: mongo.Database,
    bus: events.Bus,
    registry: grpc.aio.Channel,
    solver: SolverProcess,
) -> Parts:
    owner = f"{settings.instance}/{uuid.uuid4().hex}"
    lease_ms = int(settings.round_lease_seconds * 1000)
    locks = database["locks"]
    follower = Follower(
        bus,
        registry,
        lambda: scheduler.changed(),
        instance=settings.instance,
        refresh_seconds=settings.book_refresh_seconds,
    )
    ledger = Ledger(registry, lambda: follower.book)
    settlement = Settlement(stores.proposals, stores.memory, ledger, lambda: scheduler.broken())
    answers = Answers(stores.proposals, settlement, lambda: follower.book)
    policies = PolicyBook(stores.policies, lambda: scheduler.changed())
    await policies.ensure_standard()
    work = bus.work(settings.work_ack_seconds)
    runner = RoundRunner(solver, Sharing(work, settings.work_least_variables))
    app.push(runner.close)
    end = RoundEnd(
        stores.proposals, stores.artifacts, stores.explanations, stores.memory, settlement
    )
    clearing = Clearing(
        owner,
        lease_ms,
        rounds=stores.rounds,
        proposals=stores.proposals,
        start=RoundStart(
            stores.proposals,
            stores.artifacts,
            stores.memory,
            policies,
            lambda: follower.book,
            settings.most_pairs,
        ),
        outcome=RoundOutcome(stores.proposals, stores.artifacts, stores.explanations, answers),
        end=end,
        runner=runner,
        lock=RoundLock(locks, "round", owner, lease_ms),
    )
    desk = RoundDesk(stores.rounds, stores.artifacts, policies, clearing, runner, app.stopping)

    async def start(trigger: round_pb2.Round.Trigger.ValueType) -> bool:
        _, offers, demands = follower.book.counts()
        if not (offers and demands):
            return True  # nothing to clear: as good as done
        return await desk.start(trigger)

    scheduler = Scheduler(
        policies.get,
        start,
        desk.last_start,
        RoundLock(locks, "scheduler", owner, lease_ms),
        settings.repair_seconds,
    )
    feed = Feed(stores.proposals)
    leases = Leases(stores.proposals, answers, settlement, ledger)
    _spawn(app, settings, bus, follower, scheduler, feed, leases, clearing)
    watch = Watch(feed, stores.proposals, answers, app.stopping)
    reading = ReadingRoom(
        stores.explanations,
        stores.memory.fairness,
        desk,
        follower,
        delegations_of(lambda: follower.book),
    )
    inbox = Inbox(stores.proposals, answers)
    analysis = Analysis(stores.artifacts, stores.memory.fairness, desk, follower)
    return Parts(
        MatchingServicer(
            desk,
            answers,
            inbox,
            watch,
            reading,
            policies,
            analysis,
            DeliveryDesk(stores.proposals),
        ),
        OperationsServicer(desk),
        follower,
    )


def _spawn(
    app: App,
    settings: MatchingSettings,
    bus: events.Bus,
    follower: Follower,
    scheduler: Scheduler,
    feed: Feed,
    leases: Leases,
    clearing: Clearing,
) -> None:
    """Start what goes on for as long as matching runs."""

    async def seen(found: Sequence[tuple[int, str, bytes]]) -> None:
        await feed.seen(found)
        # What broke off in another copy is a reason for a repair too; old news is not.
        if tail.started.is_set() and any(s.startswith(_BREAKS) for _, s, _ in found):
            scheduler.broken()

    tail = bus.tail(["market.proposal.>"], seen, back=REMEMBERED)

    async def after_book(work: Coroutine[Any, Any, None]) -> None:
        await follower.wait_current()
        await work

    async def run_rounds() -> None:
        await clearing.recover(start=True)
        await asyncio.gather(
            clearing.run(), every(settings.round_lease_seconds / 4, "rounds", clearing.recover)
        )

    app.probe("book", follower.check)
    app.spawn("book-events", follower.follow())
    app.spawn("book", follower.keep_loaded())
    app.spawn("proposal-events", tail.run())
    app.spawn("expiry", every(settings.lease_sweep_seconds, "expiry", leases.sweep))
    app.spawn("settle", every(settings.reconcile_seconds, "settlement", leases.settle))
    app.spawn("reminders", every(settings.reconcile_seconds, "reminders", leases.remind))
    app.spawn("audit", after_book(every(settings.audit_seconds, "audit", leases.audit)))
    app.spawn("measure", every(_MEASURE_SECONDS, "measures", leases.measure))
    app.spawn("book-measure", every(_MEASURE_SECONDS, "measures", follower.measure))
    app.spawn("rounds", after_book(run_rounds()))
    app.spawn("scheduler", after_book(scheduler.run()))
