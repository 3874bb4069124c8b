"""How the engine's inner loops are compiled: once per machine, without the interpreter's lock.

No flag is used that could change a result: arithmetic stays strict and loops keep their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_NO_DOOR: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Not in numba's public interface: no run time to count references to arrays, nor to make them.
_NO_COUNT: dict[str, Any] = {"_nrt": False}
Loop = TypeVar("Loop", bound=Callable[..., object])


def compiled(function: Loop) -> Loop:
    """Compile a loop that Python calls."""
    return cast(Loop, njit(cache=True, nogil=True, error_model="numpy")(function))


def inner(function: Loop) -> Loop:
    """Compile a loop that only compiled loops call: it needs no door from Python."""
    make = njit(nogil=True, cache=True, error_model="numpy", **_NO_DOOR)
    return cast(Loop, make(function))


def bare(function: Loop) -> Loop:
    """The same for a loop that makes no array: references to those it is given are not counted.

    Counting is atomic and would be done for every row that is read: half the time of prices.
    """
    make = njit(nogil=True, cache=True, error_model="numpy", **_NO_DOOR, **_NO_COUNT)
    return cast(Loop, make(function))
