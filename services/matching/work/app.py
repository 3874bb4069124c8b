"""The composition root of a matching worker."""

from services.chassis import events
from services.chassis.app import App
from services.matching.engine import SolverProcess
from services.matching.work.settings import WorkerSettings
from services.matching.work.worker import Worker


async def build_worker(app: App, settings: WorkerSettings) -> None:
    """Open, wire and start a worker; waits for a bus that is not there yet."""
    bus = await app.enter(events.connect(settings.nats_url, name=app.name))
    await bus.ensure_streams()
    app.probe("bus", bus.ping)
    solver = SolverProcess()
    app.push(solver.close)
    await solver.start()
    worker = Worker(bus.work(settings.work_ack_seconds), solver, bus.publisher)
    app.probe("work", worker.check)
    app.spawn("work", worker.run())
