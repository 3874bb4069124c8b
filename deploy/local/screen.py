"""What the person at the terminal sees: one line of progress, tables, and plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.status import Status
from rich.table import Table


class Screen:
    """Writes to a terminal with a moving line of progress, and to a file one line per step.

    A terminal that was closed is no error: the stack must still end what it started.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._status: Status | None = None
        self._last_step = ""

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show `step` texts on one moving line for as long as the block runs."""
        if not self._console.is_terminal:
            yield
            return
        self._status = self._console.status("Preparing …")
        try:
            with self._status:
                yield
        finally:
            self._status = None

    def step(self, text: str) -> None:
        """What is being done now."""
        with suppress(OSError):
            if self._status is not None:
                self._status.update(_plain(text))
            elif text != self._last_step:
                self._last_step = text
                self._console.print(_plain(text))

    def say(self, text: str) -> None:
        """A line that stays. May hold rich markup."""
        with suppress(OSError):
            self._console.print(text)

    def problem(self, text: str) -> None:
        """Something that went wrong, in words; brackets in it are no markup."""
        with suppress(OSError):
            self._console.print(text, style="red", markup=False, soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table."""
        with suppress(OSError):
            self._console.print(table)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
