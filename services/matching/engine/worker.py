"""The far side of `SolverProcess`: solves what comes through the pipe, and can be cancelled.

Messages in: ``("solve", number, Market, Options)`` and ``("cancel", number)``. Messages out, each
with the number of the solve: ``("progress", number, Progress)``, ``("result", number, Result)``,
``("error", number, exception)``. The pipe's end is the end of this process: a parent that died
leaves no solver behind.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any

from services.matching.engine.result import Progress


def serve(pipe: Connection) -> None:
    """Run until the pipe closes."""
    # The parent imports this module too, and has no use for the solvers.
    from services.matching.engine.solving import solve

    # Ctrl-C goes to the whole group; the parent decides what becomes of a running solve.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work: queue.SimpleQueue[Any] = queue.SimpleQueue()
    cancelled: set[int] = set()
    threading.Thread(target=_listen, args=(pipe, work, cancelled), daemon=True).start()
    sending = threading.Lock()

    def send(*message: object) -> None:
        with sending:
            pipe.send(message)

    while True:
        number, market, options = work.get()

        def tell(step: Progress, number: int = number) -> None:
            send("progress", number, step)

        def stop(number: int = number) -> bool:
            return number in cancelled

        try:
            send("result", number, solve(market, options, tell, stop))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:  # whatever went wrong belongs to the one who asked
            send("error", number, _portable(error))
        cancelled.discard(number)


def _listen(pipe: Connection, work: queue.SimpleQueue[Any], cancelled: set[int]) -> None:
    """Take messages while the main thread solves."""
    while True:
        try:
            kind, number, *rest = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        if kind == "solve":
            work.put((number, *rest))
        else:
            cancelled.add(number)


def _portable(error: Exception) -> Exception:
    """The error itself if it can travel, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
