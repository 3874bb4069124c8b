"""The live line of a running round: phase, best value, bound and gap; and Ctrl-C while it runs."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from cli.screen import errors, money
from spareline.matching.v1.round_pb2 import Round, RoundProgress

_ENDED = (Round.STATE_COMPLETED, Round.STATE_CANCELLED, Round.STATE_FAILED)


def ended(found: Round) -> bool:
    """Whether a round has ended."""
    return found.state in _ENDED


def described(progress: RoundProgress) -> str:
    """A round's progress in a line."""
    words = [progress.phase or "waiting", f"{progress.elapsed_milliseconds / 1000:.1f} s"]
    if progress.components_total:
        words.append(f"part {progress.components_done} of {progress.components_total}")
    if progress.has_bound:
        gap = (progress.bound - progress.best_value) / max(1, abs(progress.bound))
        words += [
            f"best {money(progress.best_value)}",
            f"bound {money(progress.bound)}",
            f"gap {gap:.2%}",
        ]
    return ", ".join(words)


class RoundScreen:
    """Shows progress on standard error: one live line at a terminal, else a line per phase."""

    def __init__(self, quiet: bool) -> None:
        self._console = errors()
        self._live = self._console.is_terminal and not quiet
        self._quiet = quiet
        self._status = self._console.status("waiting")
        self._phase = ""

    def __enter__(self) -> Self:
        self.resume()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def show(self, found: Round) -> None:
        """Show where a round stands."""
        line = described(found.progress)
        if self._live:
            self._status.update(line)
        elif not self._quiet and found.progress.phase != self._phase:
            self._console.print(line, markup=False, soft_wrap=True)
        self._phase = found.progress.phase

    def pause(self) -> None:
        """Leave the terminal to a question."""
        if self._live:
            self._status.stop()

    def resume(self) -> None:
        """Take the terminal again."""
        if self._live:
            self._status.start()

    @contextmanager
    def interruption(self) -> Iterator[asyncio.Event]:
        """An event that is set by Ctrl-C, in place of ending the program."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        before = signal.getsignal(signal.SIGINT)
        try:
            loop.add_signal_handler(signal.SIGINT, event.set)
        except (ValueError, RuntimeError):
            yield event  # not the main thread: whoever runs us deals with signals
            return
        try:
            yield event
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)
