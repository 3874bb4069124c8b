"""The far side of `SolverProcess`: solves what comes through the pipe, and can be cancelled.

Messages in, each with the number of the solve: ``("solve", number, Market, Options, room)`` with
room for parts elsewhere or None, ``("unit", number, bytes, seconds)``, ``("cancel", number)``, and
of parts elsewhere ``("answer", number, index, bytes or None)``, ``("step", number, index, value,
bound)``. Messages out: ``("progress", number, Progress)``, ``("result", number, Result or bytes)``,
``("error", number, exception)``, and of parts ``("sent", number, (index, bytes, seconds))``,
``("asked", number, ())``, ``("kept", number, (index,))``. The pipe's end is the end of this
process: a parent that died leaves no solver behind.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from services.matching.engine.result import Progress

if TYPE_CHECKING:
    from services.matching.engine.units import Solved, Step, Unit

_LOOK_SECONDS = 0.1


def serve(pipe: Connection) -> None:
    """Run until the pipe closes."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of a running solve.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Loaded before the first work comes. The parent imports this module too, and has no use for it.
    importlib.import_module("services.matching.engine.solving")
    line = _Line(pipe)
    threading.Thread(target=line.listen, daemon=True).start()
    while True:
        kind, number, *rest = line.work.get()
        try:
            line.send("result", number, _solved(line, kind, number, rest))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:  # whatever went wrong belongs to the one who asked
            line.send("error", number, _portable(error))
        line.forget(number)


def _solved(line: _Line, kind: str, number: int, rest: list[Any]) -> object:
    from services.matching.engine.packing import pack_solved, unpack_unit
    from services.matching.engine.solving import solve, solve_unit

    def tell(step: Progress) -> None:
        line.send("progress", number, step)

    def stop() -> bool:
        return number in line.cancelled

    if kind == "unit":
        return pack_solved(solve_unit(unpack_unit(*rest), tell, stop))
    market, options, room = rest
    away = line.away = None if room is None else _Away(line, number, *room)
    return solve(market, options, tell, stop, away)


class _Line:
    """The pipe: many threads send, one listens while the main thread solves."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self.work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.cancelled: set[int] = set()
        self.away: _Away | None = None

    def send(self, *message: object) -> None:
        with self._sending:
            self._pipe.send(message)

    def forget(self, number: int) -> None:
        self.cancelled.discard(number)
        self.away = None

    def listen(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            kind, number, *rest = message
            if kind in ("solve", "unit"):
                self.work.put(message)
            elif kind == "cancel":
                self.cancelled.add(number)
            elif (away := self.away) is not None and away.number == number:
                away.take(kind, rest)


class _Away:
    """Parts of one solve that are elsewhere, as `units.Elsewhere`."""

    def __init__(self, line: _Line, number: int, hands: int, least_variables: int) -> None:
        self.number, self.hands, self.least_variables = number, hands, least_variables
        self._line = line
        self._came: queue.SimpleQueue[tuple[int, bytes | None]] = queue.SimpleQueue()
        self._left: list[int] = []
        self._step: Step | None = None
        self._asked = False

    def send(self, index: int, unit: Unit) -> None:
        from services.matching.engine.packing import pack_unit

        self._left.append(index)
        self._line.send("sent", self.number, (index, pack_unit(unit), unit.seconds))

    def follow(self, step: Step) -> None:
        self._step = step

    def take(self, kind: str, rest: list[Any]) -> None:
        """What the parent says; in the listening thread."""
        if kind == "answer":
            self._came.put((rest[0], rest[1]))
        elif self._step is not None:
            self._step(*rest)

    def next(self, stopped: Callable[[], bool]) -> tuple[int, Solved | None]:
        from services.matching.engine.packing import UnreadableUnit, unpack_solved

        if not self._asked:
            self._line.send("asked", self.number, ())
            self._asked = True
        index, data = self._wait(stopped)
        self._left.remove(index)
        if data is not None:
            try:
                return index, unpack_solved(data)
            except UnreadableUnit:
                pass  # solved here, as if nobody had
        self._asked = False
        return index, None

    def _wait(self, stopped: Callable[[], bool]) -> tuple[int, bytes | None]:
        while not stopped():
            try:
                index, data = self._came.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
            if index in self._left:
                return index, data
        return self._left[0], None

    def kept(self, index: int) -> None:
        self._line.send("kept", self.number, (index,))


def _portable(error: Exception) -> Exception:
    """The error itself if it can travel, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
