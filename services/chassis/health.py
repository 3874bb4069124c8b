"""Readiness: a service is ready only while everything that it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable

from services.chassis import logs, metrics

Probe = Callable[[], Awaitable[None]]
Reporter = Callable[[bool], Awaitable[None]]

PERIOD_SECONDS = 2.0
PERIOD_NOT_READY_SECONDS = 0.5
PROBE_SECONDS = 3.0


class Health:
    """Runs the probes and tells whoever asked to be told when the answer changes."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._log = logs.get_logger(service)
        self._probes: dict[str, Probe] = {}
        self._reporters: list[Reporter] = []
        self._failing: dict[str, str] = {}
        self._closed = False
        self._changed = asyncio.Condition()
        self.ready = False

    @property
    def failing(self) -> dict[str, str]:
        """The probes that failed last time, each with the kind of its error."""
        return dict(self._failing)

    def probe(self, name: str, check: Probe) -> None:
        """Add a check that raises while what it checks is away."""
        self._probes[name] = check

    async def report_to(self, reporter: Reporter) -> None:
        """Tell the reporter whether the service is ready, now and at each change."""
        self._reporters.append(reporter)
        await self.check()
        await reporter(self.ready)

    async def check(self) -> bool:
        """Run all probes once and return whether the service is ready."""
        probes = dict(self._probes)  # a part that opens meanwhile may add its own
        results = await asyncio.gather(*(self._run(probe) for probe in probes.values()))
        failing = {
            name: type(error).__name__
            for name, error in zip(probes, results, strict=True)
            if error is not None
        }
        if failing != self._failing:
            self._log.warning("probes", failing=failing)
        self._failing = failing
        await self._become(not failing and probes == self._probes and not self._closed)
        return self.ready

    async def _run(self, probe: Probe) -> Exception | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await probe()
        except Exception as error:
            return error
        return None

    async def _become(self, ready: bool) -> None:
        if ready == self.ready:
            return
        self.ready = ready
        metrics.READY.labels(self._service).set(int(ready))
        self._log.info("ready" if ready else "not ready")
        for reporter in self._reporters:
            await reporter(ready)
        async with self._changed:
            self._changed.notify_all()

    async def wait_ready(self) -> None:
        """Return once the service is ready."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ready)

    async def watch(self) -> None:
        """Check for ever, more often while something is away."""
        while True:
            await self.check()
            await asyncio.sleep(PERIOD_SECONDS if self.ready else PERIOD_NOT_READY_SECONDS)

    async def close(self) -> None:
        """Be not ready from now on."""
        self._closed = True
        await self._become(False)
