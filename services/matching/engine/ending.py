"""How a process of ours ended, as far as its parent can tell."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

_REAP_SECONDS = 2.0
_ASKING = threading.Lock()


@dataclass(frozen=True)
class ProcessEnded:
    """``code`` as `multiprocessing` gives it: -N where signal N ended the process; None unknown."""

    code: int | None = None
    overran: bool = False
    """Whether it was ended because it overran its limit."""

    @property
    def signal(self) -> str:
        """Name of the signal that ended it, empty if none did."""
        if self.code is None or self.code >= 0:
            return ""
        try:
            return signal.Signals(-self.code).name
        except ValueError:
            return f"signal {-self.code}"

    @property
    def killed(self) -> bool:
        """Whether somebody ended it with SIGKILL, as the system does when memory runs out."""
        return not self.overran and self.code == -signal.SIGKILL


def ended_of(process: BaseProcess, seconds: float | None = _REAP_SECONDS) -> ProcessEnded:
    """How a process ended; waits so long, or None for ever. Not for an event loop.

    The system tells of an end once, so that of two threads that ask at once one would not know.
    """
    try:
        with _ASKING:
            process.join(seconds)
        return ProcessEnded(process.exitcode)
    except ValueError:  # somebody closed it meanwhile
        return ProcessEnded()
