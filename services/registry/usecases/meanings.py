"""What capabilities mean, kept ready beside the taxonomy by a language model in its own thread.

Nothing waits for it: until the vectors are there, and where the model is too slow, words alone
are searched. After an edit of the taxonomy only what is new gets a vector.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.chassis import logs
from services.registry.domain import meaning
from services.registry.domain.meaning import MeaningIndex, Nearness, Sense, Vector
from services.registry.domain.taxonomy import Taxonomy

T = TypeVar("T")

WAIT_SECONDS = 0.5
"""So long a search waits for the model, then it goes on with words alone."""
FOLLOW_SECONDS = 5.0
_BATCH = 4  # senses at a time: a search that comes meanwhile waits for one batch


class Model(Protocol):
    """Turns texts into vectors of length 1."""

    def query(self, text: str) -> Vector:
        """Return the vector of what somebody looks for."""

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of what can be found, shape (texts, d)."""


class Meanings:
    """The meanings of a taxonomy's capabilities."""

    def __init__(
        self,
        load: Callable[[], Model],
        *,
        follow_seconds: float = FOLLOW_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """``load`` makes the model; it is called in the thread, by `keep`."""
        self._load = load
        self._follow_seconds = follow_seconds
        self._wait_seconds = wait_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="meaning")
        self._model: Model | None = None
        self._index: MeaningIndex | None = None
        self._vectors: Mapping[Sense, Vector] = {}
        self._log = logs.get_logger("meanings")

    async def keep(self, current: Callable[[], Taxonomy]) -> None:
        """Load the model, and keep the vectors of the current taxonomy, for ever."""
        try:
            self._model = await self._run(self._load)
        except (ImportError, OSError, RuntimeError) as error:
            self._log.warning("no language model: words alone are searched", exc_info=error)
            await asyncio.Event().wait()
        known: Taxonomy | None = None
        while True:
            if current() is not known:
                known = current()
                await self._prepare(known)
            await asyncio.sleep(self._follow_seconds)

    async def nearness(self, text: str) -> Nearness | None:
        """Return how near capabilities are to a text; None while that can't be told."""
        index, model = self._index, self._model
        if index is None or model is None or not text.strip():
            return None
        query = asyncio.ensure_future(self._run(model.query, text.strip()))
        try:
            await asyncio.wait({query}, timeout=self._wait_seconds)
            return index.nearness(query.result()) if query.done() else None
        finally:
            query.cancel()  # what the thread has not begun it need not do

    async def close(self) -> None:
        """Let the thread end; what waits for it is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _prepare(self, taxonomy: Taxonomy) -> None:
        wanted = meaning.senses(taxonomy)
        needed = dict.fromkeys([*wanted.values(), *meaning.TALK])
        vectors = {each: self._vectors[each] for each in needed if each in self._vectors}
        missing = [each for each in needed if each not in vectors]
        begun = time.monotonic()
        for some in _batches(missing):
            since = time.monotonic()
            vectors |= await self._run(self._embed, some)
            # Half a processor at most: the rest of the market starts at the same time.
            await asyncio.sleep(time.monotonic() - since)
        self._vectors, self._index = vectors, MeaningIndex(wanted, vectors)
        seconds = round(time.monotonic() - begun, 1)
        self._log.info("meanings ready", capabilities=len(wanted), new=len(missing), took=seconds)

    def _embed(self, senses: Sequence[Sense]) -> dict[Sense, Vector]:
        assert self._model is not None
        found = self._model.passages([text for each in senses for text in each])
        return {each: found[2 * i : 2 * i + 2].mean(axis=0) for i, each in enumerate(senses)}

    async def _run(self, call: Callable[..., T], *given: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *given)


def _batches(senses: Sequence[Sense]) -> Sequence[Sequence[Sense]]:
    return [senses[start : start + _BATCH] for start in range(0, len(senses), _BATCH)]
