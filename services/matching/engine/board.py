"""What a running solve shows to the outside, and how the outside stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.matching.engine.cpsat import Search
from services.matching.engine.result import Phase, Progress

POLL_SECONDS = 0.05


class Board:
    """Best value and bound over all components; safe to use from their threads."""

    def __init__(
        self,
        components: int,
        started: float,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        self._started = started
        self._progress = progress
        self._cancelled = cancelled
        self._components = components
        self._done = 0
        self._values: list[int] = [0] * components
        self._bounds: list[int | None] = [None] * components
        self._certified: int | None = None
        self._searches: set[Search] = set()
        self._lock = threading.Lock()
        self._phase = Phase.CUT
        self.stopping = False
        self.timing: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the wall time of the block towards a step, over all components."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                taken = time.monotonic() - began
                self.timing[name] = self.timing.get(name, 0.0) + taken

    def seconds(self) -> float:
        """Wall time since the solve began."""
        return time.monotonic() - self._started

    def seconds_left(self, limit: float) -> float:
        """What is left of the wall limit, never less than a hundredth of a second."""
        return max(0.01, limit - self.seconds())

    def until(self, limit: float) -> Callable[[], bool]:
        """Asks whether ``limit`` seconds have passed since the solve began, or it was stopped."""
        return lambda: self.stopping or self.seconds() >= limit

    def begin(self, certified: int | None, parts: list[tuple[int, int | None]]) -> None:
        """The search begins with these values and bounds per component, as far as known."""
        self._certified = certified
        self._values = [worth for worth, _ in parts]
        self._bounds = [bound for _, bound in parts]

    def report(self, phase: Phase) -> None:
        """Tell the caller where the solve stands."""
        with self._lock:
            self._phase = phase
            self._tell()

    def better(self, index: int, worth: int) -> None:
        """Component ``index`` has an assignment worth this much."""
        with self._lock:
            if worth > self._values[index]:
                self._values[index] = worth
                self._tell()

    def tighter(self, index: int, bound: int) -> None:
        """Component ``index`` can't be worth more than this."""
        with self._lock:
            if self._tighter(index, bound):
                self._tell()

    def look(self, index: int, worth: int, bound: int | None) -> None:
        """Component ``index``, which begins only now or elsewhere, stands so."""
        with self._lock:
            tighter = bound is not None and self._tighter(index, bound)
            if worth > self._values[index] or tighter:
                self._values[index] = max(worth, self._values[index])
                self._tell()

    def finish(self) -> None:
        """The search of one more component has ended."""
        with self._lock:
            self._done += 1
            self._tell()

    @contextmanager
    def running(self, search: Search) -> Iterator[None]:
        """Let a stop reach this search."""
        with self._lock:
            self._searches.add(search)
            stop = self.stopping
        if stop:
            search.stop()
        try:
            yield
        finally:
            with self._lock:
                self._searches.discard(search)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Ask ``cancelled`` from a thread of its own until the block ends."""
        if self._cancelled is None:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,), name="cancel", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch(self, ended: threading.Event) -> None:
        assert self._cancelled is not None
        while not ended.is_set():
            if self._cancelled():
                with self._lock:
                    self.stopping = True
                    searches = list(self._searches)
                # Asked again at each turn: a search that is just starting may miss the first one.
                for search in searches:
                    search.stop()
            ended.wait(POLL_SECONDS)

    def _tighter(self, index: int, bound: int) -> bool:
        known = self._bounds[index]
        if known is not None and bound >= known:
            return False
        self._bounds[index] = bound
        return True

    def _tell(self) -> None:
        if self._progress is None:
            return
        bound = self._certified
        known = [each for each in self._bounds if each is not None]
        if known and len(known) == len(self._bounds):
            bound = min(sum(known), sum(known) if bound is None else bound)
        self._progress(
            Progress(
                self._phase,
                sum(self._values),
                bound,
                self.seconds(),
                self._done,
                self._components,
            )
        )
