"""The life of a service: what it opens, runs and watches, and how all of it ends.

One AsyncExitStack holds everything, so that things close in the reverse order of their
opening. Before that the service says that it is not ready and lets calls under way end.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, AsyncContextManager, NoReturn, Self, TypeVar  # noqa: UP035

import uvloop

from services.chassis import logs, metrics, traces
from services.chassis.health import Health, Probe
from services.chassis.settings import RuntimeSettings

T = TypeVar("T")
S = TypeVar("S", bound=RuntimeSettings)

EXIT_CRASHED = 1
CANCEL_AGAIN_SECONDS = 3.0


class TaskCrashed(RuntimeError):  # noqa: N818
    """A supervised task of the app ended though nobody had asked it to."""


class App:
    """One running service. In a test: ``async with App(name) as app: await build(app, …)``."""

    def __init__(self, name: str, *, drain_seconds: float = 10.0) -> None:
        self.name = name
        self.log = logs.get_logger(name)
        self.health = Health(name)
        self.drain_seconds = drain_seconds
        self.stopping = asyncio.Event()  # long streams watch it, so as to end before the drain
        self.exit_code = 0
        self._stack = AsyncExitStack()
        self._drains: list[Callable[[], Awaitable[None]]] = []
        self._crash: BaseException | None = None

    async def __aenter__(self) -> Self:
        self.spawn("health", self.health.watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()
        if error is None and self._crash is not None:
            raise TaskCrashed(f"{self.name}: a supervised task ended") from self._crash

    async def enter(self, cm: AsyncContextManager[T]) -> T:
        """Open something; it is closed when the app ends."""
        return await self._stack.enter_async_context(cm)

    def push(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have the callback awaited when the app ends."""
        self._stack.push_async_callback(callback)

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have the callback awaited before anything closes: it lets work under way end."""
        self._drains.append(callback)

    def probe(self, name: str, check: Probe) -> None:
        """Be ready only while the check (and every other) does not raise."""
        self.health.probe(name, check)

    def spawn(self, name: str, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a task as long as the app; if it ends before, the app stops with exit code 1."""
        task = asyncio.get_running_loop().create_task(coro, name=f"{self.name}:{name}")
        task.add_done_callback(self._supervise)

        async def end() -> None:
            # A cancellation can get lost where it meets the end of what the task waits for (as in
            # wait_for of Python 3.11); it is said again until it is heard. How a task ended has
            # been reported by _supervise.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_AGAIN_SECONDS)

        self._stack.push_async_callback(end)
        return task

    def _supervise(self, task: asyncio.Task[Any]) -> None:
        if self.stopping.is_set():
            if not task.cancelled() and (error := task.exception()) is not None:
                self.log.warning("task failed while stopping", task=task.get_name(), exc_info=error)
            return
        crash: BaseException | None = None if task.cancelled() else task.exception()
        self._crash = crash or RuntimeError(f"{task.get_name()} returned")
        self.log.error("supervised task ended", task=task.get_name(), exc_info=self._crash)
        self.exit_code = EXIT_CRASHED
        self.stop()

    def stop(self) -> None:
        """Ask the app to end; ``wait_stopped`` then returns."""
        self.stopping.set()

    async def wait_stopped(self) -> None:
        """Return once the app was asked to end."""
        await self.stopping.wait()

    async def _close(self) -> None:
        self.stop()
        await self.health.close()
        results = await asyncio.gather(*(drain() for drain in self._drains), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                self.log.error("drain failed", exc_info=error)
        await self._stack.aclose()


def main(name: str, settings: S, build: Callable[[App, S], Awaitable[None]]) -> NoReturn:
    """Run a service until SIGTERM or SIGINT, then end the process with its exit code."""
    logs.configure(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(name, settings, build))
    sys.exit(code)


async def _run(name: str, settings: S, build: Callable[[App, S], Awaitable[None]]) -> int:
    app = App(name, drain_seconds=settings.drain_seconds)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop)
    try:
        async with app:
            _observe(app, settings)
            await _build_or_stop(app, build(app, settings))
            await app.wait_stopped()
            app.log.info("stopping")
    except TaskCrashed:
        return app.exit_code  # already logged, with its traceback
    except Exception as error:
        app.log.error("the service could not start or stop", exc_info=error)
        return EXIT_CRASHED
    app.log.info("stopped")
    return app.exit_code


def _observe(app: App, settings: RuntimeSettings) -> None:
    if settings.otlp_endpoint:
        app.push(traces.configure(app.name, settings.otlp_endpoint))
    if settings.metrics_port:
        app.push(metrics.serve(settings.metrics_host, settings.metrics_port))


async def _build_or_stop(app: App, building: Awaitable[None]) -> None:
    """Wait for the build, unless the app is told to end while it still waits for others."""
    build = asyncio.ensure_future(building)
    stop = asyncio.ensure_future(app.wait_stopped())
    try:
        await asyncio.wait({build, stop}, return_when=asyncio.FIRST_COMPLETED)
        if build.done():
            await build
    finally:
        for pending in (build, stop):
            pending.cancel()
        await asyncio.gather(build, stop, return_exceptions=True)
