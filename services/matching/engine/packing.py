"""Units of work and their answers as bytes, for the way between machines.

The form is a line of JSON that names each array with its width and length, and then the arrays
themselves, little-endian, integers in the least width that holds them; all of it compressed. What
is read is only ever numbers: nothing that comes over the network is executed or unpickled.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.engine.limits import InvalidMarket
from services.matching.engine.market import Market, Term
from services.matching.engine.prices import Prices
from services.matching.engine.units import Solved, Unit

Array = npt.NDArray[Any]

_UNIT, _SOLVED = "spareline-unit-1", "spareline-solved-1"
_INTEGERS = ("|i1", "<i2", "<i4", "<i8")
_WIDTHS = (*_INTEGERS, "<f8")
_LEVEL = 1
# Far above what a round of a million demands and offers would send.
LARGEST = 8 * 2**30
_LONGEST_HEAD = 2**20
_PRICES = tuple(field.name for field in fields(Prices) if field.name != "finished")
_TERM = ("per_tick", "per_pair", "per_setup", "per_demand", "per_line")


class UnreadableUnit(ValueError):  # noqa: N818 - says what is the case
    """The bytes are not a unit or an answer of this form; the message says why."""


def pack_unit(unit: Unit) -> bytes:
    """A unit without its wall limit: the same part, seed and limits give the same bytes."""
    market = unit.market
    arrays = dict(market.arrays())
    for at, term in enumerate(market.terms):
        arrays |= {f"term{at}.{name}": getattr(term, name) for name in _TERM}
    head = {
        "form": _UNIT,
        "seed": unit.seed,
        "deterministic_limit": unit.deterministic_limit,
        "gap_permille": unit.gap_permille,
        "terms": [term.name for term in market.terms],
    }
    return _packed(head, arrays)


def unpack_unit(data: bytes, seconds: float) -> Unit:
    """Read what `pack_unit` wrote; ``seconds`` is the wall limit.

    Raises:
        UnreadableUnit: the bytes are something else, or no market.
    """
    head, arrays = _unpacked(data, _UNIT)
    try:
        names = head["terms"]
        terms = [
            Term(str(name), *(arrays.pop(f"term{at}.{each}") for each in _TERM))
            for at, name in enumerate(names)
        ]
        market = Market.build(**arrays, terms=terms)
        limits = int(head["seed"]), float(head["deterministic_limit"]), float(head["gap_permille"])
    except (InvalidMarket, KeyError, TypeError, ValueError) as error:
        raise UnreadableUnit(f"the bytes hold no market: {error}") from error
    return Unit(market, *limits, seconds)


def pack_solved(solved: Solved) -> bytes:
    """An answer; the same answer gives the same bytes."""
    arrays: dict[str, Array] = {"quantity": solved.quantity}
    for name in _PRICES:
        if (price := getattr(solved.prices, name)) is not None:
            arrays[name] = price
    if solved.demand_price is not None:
        arrays["demand"] = solved.demand_price
    head = {
        "form": _SOLVED,
        "finished": solved.prices.finished,
        "bound": solved.bound,
        "complete": solved.complete,
    }
    return _packed(head, arrays)


def unpack_solved(data: bytes) -> Solved:
    """Read what `pack_solved` wrote.

    Raises:
        UnreadableUnit: the bytes are something else.
    """
    head, arrays = _unpacked(data, _SOLVED)
    try:
        quantity, demand = arrays.pop("quantity"), arrays.pop("demand", None)
        prices = Prices(**arrays, finished=bool(head["finished"]))
        bound, complete = int(head["bound"]), bool(head["complete"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableUnit(f"the bytes hold no answer: {error}") from error
    real = [*arrays.values(), *([] if demand is None else [demand])]
    if any(each.dtype != np.float64 for each in real) or quantity.dtype != np.int64:
        raise UnreadableUnit("the answer's arrays are of another kind")
    return Solved(prices, demand, bound, quantity, complete)


def _packed(head: Mapping[str, object], arrays: Mapping[str, Array]) -> bytes:
    narrow = {name: _narrow(array) for name, array in arrays.items()}
    shapes = [[name, array.dtype.str, len(array)] for name, array in narrow.items()]
    line = json.dumps({**head, "arrays": shapes}, separators=(",", ":")).encode()
    packer = zlib.compressobj(_LEVEL)
    pieces = [packer.compress(line + b"\n")]
    pieces += [packer.compress(array.tobytes()) for array in narrow.values()]
    return b"".join([*pieces, packer.flush()])


def _narrow(array: Array) -> Array:
    """Integers in the least width that holds them all; floats as they are."""
    if array.dtype.kind == "f":
        return array.astype("<f8")
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    for width in _INTEGERS:
        limits = np.iinfo(width)
        if limits.min <= low and high <= limits.max:
            return array.astype(width)
    raise AssertionError("int64 holds every int64")


def _unpacked(data: bytes, form: str) -> tuple[dict[str, Any], dict[str, Array]]:
    body = _inflated(data)
    end = body.find(b"\n", 0, _LONGEST_HEAD)
    if end < 0:
        raise UnreadableUnit("the bytes have no head")
    try:
        head = json.loads(body[:end])
        if head["form"] != form:
            raise UnreadableUnit(f"the form is {str(head['form'])[:40]!r}, {form!r} was expected")
        shapes = [(str(name), str(width), int(length)) for name, width, length in head["arrays"]]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UnreadableUnit):
            raise
        raise UnreadableUnit("the head names no arrays") from error
    return head, _arrays(body, end + 1, shapes)


def _arrays(body: bytes, at: int, shapes: list[tuple[str, str, int]]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name, width, length in shapes:
        if width not in _WIDTHS or length < 0:
            raise UnreadableUnit(f"array {name[:40]!r} has no width or length that is known")
        kind = np.dtype(width)
        last = at + length * kind.itemsize
        if last > len(body):
            raise UnreadableUnit(f"array {name[:40]!r} is cut off")
        wide = np.float64 if kind.kind == "f" else np.int64
        found[name] = np.frombuffer(body, kind, length, at).astype(wide)
        found[name].setflags(write=False)
        at = last
    if at != len(body):
        raise UnreadableUnit(f"{len(body) - at} bytes follow the last array")
    return found


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        body = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise UnreadableUnit("the bytes are not compressed as they should be") from error
    if not unpacker.eof or unpacker.unused_data:
        raise UnreadableUnit(f"the bytes are cut off, or hold more than {LARGEST} bytes")
    return body
