"""The embedded stack as one thing that is entered, used and left.

`make run` and the crash tests use this very class:

    async with Stack(var=folder) as stack:
        stack.registry_address
        await stack.kill("matching")
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.local import broker, child, ports, programs, readiness, store, supervision
from deploy.local.claim import claim
from deploy.local.credentials import Credentials, credentials_in
from deploy.local.free_ports import settings_on_free_ports
from deploy.local.layout import Layout, layout_of
from deploy.local.log_tail import log_tail
from deploy.local.orphans import end_orphans
from deploy.local.problems import StackError
from deploy.local.program import Program
from deploy.local.settings import LOOPBACK, StackSettings

Report = Callable[[str], None]

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SUPERVISOR: Final = "supervisord"
# Generous, for a small machine that does other things too.
_SUPERVISOR_PATIENCE: Final = 20.0
_SERVER_PATIENCE: Final = 60.0
_SERVICE_PATIENCE: Final = 120.0


def _silent(_: str) -> None:
    return


class Stack:
    """NATS, the store and, if wanted, the services, supervised, on one data directory.

    Enter it from the main thread: the kernel ties the supervisor's life to the entering thread.
    Without `settings` it takes free ports, so that several run side by side.
    """

    def __init__(
        self,
        var: Path | None = None,
        *,
        services: bool = True,
        gateway: bool = True,
        settings: StackSettings | None = None,
        report: Report = _silent,
    ) -> None:
        self.settings = settings or settings_on_free_ports(var or StackSettings().var)
        self.layout: Layout = layout_of(var or self.settings.var)
        self.credentials: Credentials
        wanted = (*programs.SERVICES, *programs.workers(self.settings)) if services else ()
        self._services = [name for name in wanted if gateway or name != "gateway"]
        self._report = report
        self._programs: list[Program] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._supervisor: supervision.Supervisor
        self._exits = contextlib.ExitStack()

    @property
    def registry_address(self) -> str:
        """The registry's gRPC address, host:port."""
        return programs.registry_address(self.settings)

    @property
    def matching_address(self) -> str:
        """Matching's gRPC address, host:port."""
        return programs.matching_address(self.settings)

    @property
    def gateway_url(self) -> str:
        """The address to open in a browser, without a slash at the end."""
        return programs.gateway_url(self.settings)

    @property
    def mongo_url(self) -> str:
        """Where the store answers."""
        return programs.mongo_url(self.settings)

    @property
    def nats_url(self) -> str:
        """Where NATS answers."""
        return programs.nats_url(self.settings)

    @property
    def names(self) -> list[str]:
        """The programs of this stack in the order of starting."""
        return [program.name for program in self._programs]

    async def __aenter__(self) -> Self:
        """Start everything and return when all of it serves.

        Raises:
            AlreadyRunning: another stack runs on the data directory.
            PortTaken: somebody else holds a port.
            StartFailed: a program did not become ready.
        """
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything in the reverse order; no process is left behind."""
        await self._stop()

    def pid(self, name: str) -> int:
        """The process id of a program, 0 while it does not run."""
        return self._supervisor.states()[name].pid

    async def kill(self, name: str) -> int:
        """End a program with kill -9 and return the pid it had; the supervisor starts it again.

        Raises:
            StackError: it was not running.
        """
        pid = self.pid(name)
        if pid == 0:
            raise StackError(f"{name} does not run, so it can't be killed")
        os.kill(pid, signal.SIGKILL)
        return pid

    async def restarted(self, name: str, old_pid: int, patience: float = 60.0) -> int:
        """Wait until a program runs under another pid than `old_pid` and serves; returns the pid.

        Raises:
            StartFailed: it does not serve again within `patience` seconds.
        """
        async with asyncio.timeout(patience):
            while self.pid(name) in (0, old_pid):  # noqa: ASYNC110 - supervisord sends no events
                await asyncio.sleep(0.05)
        await self._wait(name, patience)
        return self.pid(name)

    async def watch(self, tell: Report) -> None:
        """Tell of every restart for as long as the stack runs, and never give a program up.

        Raises:
            StackError: the supervisor itself has ended.
        """
        known: dict[str, int] = {}
        while self._process is not None and self._process.poll() is None:
            # It may end between the look at its process and the call.
            with contextlib.suppress(*supervision.AWAY):
                for name, now in self._supervisor.states().items():
                    if now.state == "FATAL":
                        tell(f"{name} does not stay up and is started once more.")
                        self._supervisor.start(name)
                    elif now.pid and now.pid != known.setdefault(name, now.pid):
                        tell(f"{name} ended and was started again (pid {now.pid}).")
                        known[name] = now.pid
            await asyncio.sleep(1.0)
        raise StackError("The supervisor has ended unexpectedly.")

    async def _start(self) -> None:
        self.layout.prepare()
        self._exits.enter_context(claim(self.layout, purpose=f"Spareline at {self.gateway_url}"))
        if found := await asyncio.to_thread(end_orphans, self.layout.stack_id()):
            self._report(f"Ended {found} processes that an earlier start had left behind.")
        ports.check(programs.endpoints(self.settings, self._services))
        self.credentials = credentials_in(self.layout.secrets)
        store.write_config(self.layout.run)
        broker.write_config(self.layout.run, self.layout.nats_data, self.settings.port("nats_port"))
        self._programs = programs.servers(self.settings, self.layout)
        known = programs.services(self.settings, self.credentials)
        self._programs += [program for program in known if program.name in self._services]
        await self._start_supervisor()
        await self._start_servers()
        for name in self._services:
            self._report(f"Starting {name} …")
            self._supervisor.start(name)
            await self._wait(name, _SERVICE_PATIENCE)

    async def _start_servers(self) -> None:
        own = [name for name in self.names if name in ("store", "nats")]
        for name in own:
            self._supervisor.start(name)
        for name in own:
            self._report(f"Waiting for {name} …")
            await self._wait(name, _SERVER_PATIENCE)
        if "store" in own:
            await store.assert_synced(self.mongo_url, self.layout.store_data)

    async def _start_supervisor(self) -> None:
        config = supervision.write_config(self.layout, self._programs)
        description = Program(_SUPERVISOR, supervision.command(config), {}, stop_seconds=0)
        supervision.write_program(self.layout, description)
        paths = [str(_CHECKOUT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        }
        with self.layout.log("launcher").open("ab") as log:
            # A session of its own: Ctrl-C at the terminal goes to the launcher, which ends the
            # programs in their order.
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220
                [sys.executable, "-m", child.__name__, _SUPERVISOR],
                cwd=self.layout.run,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._supervisor = supervision.Supervisor(self.layout.socket())
        async with asyncio.timeout(_SUPERVISOR_PATIENCE):
            while not self._supervisor.answers():
                if self._process.poll() is not None:
                    tail = log_tail(self.layout.log("launcher"))
                    raise StackError(f"The supervisor did not start. {tail}")
                await asyncio.sleep(0.05)

    async def _wait(self, name: str, patience: float) -> None:
        await readiness.wait(
            name,
            self._probe(name),
            state=lambda: self._supervisor.states()[name],
            layout=self.layout,
            patience=patience,
        )

    def _probe(self, name: str) -> readiness.Probe:
        probes: dict[str, readiness.Probe] = {
            "store": lambda: store.answers(self.mongo_url),
            "nats": lambda: broker.answers(LOOPBACK, self.settings.port("nats_port")),
            "registry": lambda: readiness.grpc_serves(self.registry_address),
            "matching": lambda: readiness.grpc_serves(self.matching_address),
            "gateway": lambda: readiness.http_ready(f"{self.gateway_url}/health/ready"),
        }
        if name in probes:
            return probes[name]
        port = programs.worker_port(self.settings, name)
        return lambda: readiness.metrics_ready(f"http://{LOOPBACK}:{port}/metrics")

    async def _stop(self) -> None:
        try:
            process, self._process = self._process, None
            if process is not None:
                patience = 10.0 + sum(program.stop_seconds for program in self._programs)
                if process.poll() is None:
                    process.terminate()
                await asyncio.to_thread(_reap, process, patience)
                await asyncio.to_thread(end_orphans, self.layout.stack_id(), patience=5.0)
        finally:
            self._exits.close()


def _reap(process: subprocess.Popen[bytes], patience: float) -> None:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
