"""Parts that are solved elsewhere: they travel without loss, and the whole gets the same answer."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks.markets.side_by_side import side_by_side
from services.matching.engine import Market, Options, Progress, Result, Status, solve, verify
from services.matching.engine.packing import (
    UnreadableUnit,
    pack_solved,
    pack_unit,
    unpack_solved,
    unpack_unit,
)
from services.matching.engine.solving import solve_unit
from services.matching.engine.units import Solved, Step, Unit, wall_shares
from tests.unit.engine.markets import middling, tiny

OPTIONS = Options(deterministic_limit=0.1, time_limit_seconds=60)


class Post:
    """A place elsewhere in this very process; ``ours`` come back unsolved, all of it as bytes."""

    def __init__(self, ours: int = 0, hands: int = 3, spoil: bool = False) -> None:
        self.hands, self.least_variables = hands, 50
        self.sent: dict[int, bytes] = {}
        self.solved_by_us: list[int] = []
        self._ours, self._spoil = ours, spoil

    def send(self, index: int, unit: Unit) -> None:
        self.sent[index] = pack_unit(unit)

    def follow(self, step: Step) -> None:
        step(next(iter(self.sent)), 0, None)

    def next(self, stopped: Callable[[], bool]) -> tuple[int, Solved | None]:
        index = next(i for i in self.sent if i not in self.solved_by_us)
        if stopped() or len(self.solved_by_us) < self._ours:
            return index, None
        unit = unpack_unit(self.sent.pop(index), 60.0)
        answer = unpack_solved(pack_solved(solve_unit(unit)))
        if self._spoil:
            self.sent[index] = pack_unit(unit)
            short = answer.quantity[:-1]
            return index, Solved(answer.prices, None, answer.bound, short, True)
        return index, answer

    def kept(self, index: int) -> None:
        self.solved_by_us.append(index)


@cache
def several() -> tuple[Market, Result]:
    """Five large parts and four small ones, and what solving them here gives."""
    market = side_by_side([middling(2), middling(3, 5, 4, 2)])
    return market, solve(market, OPTIONS)


def told(result: Result) -> tuple[object, ...]:
    """All of a result that the market decides."""
    c = result.certificate
    prices = [a.tobytes() for a in (c.slot_price, c.cap_price, c.budget_price)]
    bounds = (c.bound, result.solver_bound, result.upper_bound, result.objective)
    return result.quantity.tobytes(), *prices, bounds, result.status, result.components


@given(tiny(pins=True))
@settings(max_examples=60)
def test_a_unit_travels_without_loss(market: Market) -> None:
    data = pack_unit(Unit(market, 7, 0.1 + 0.2, 1.5, 9.0))
    again = unpack_unit(data, 3.0)
    assert (again.seed, again.deterministic_limit, again.gap_permille) == (7, 0.1 + 0.2, 1.5)
    assert again.seconds == 3.0
    for (name, one), (_, other) in zip(market.arrays(), again.market.arrays(), strict=True):
        assert one.tolist() == other.tolist(), name
    assert [t.name for t in again.market.terms] == [t.name for t in market.terms]
    assert pack_unit(Unit(again.market, 7, 0.1 + 0.2, 1.5, 1.0)) == data


def test_what_is_no_unit_is_refused_and_says_why() -> None:
    data = pack_unit(Unit(middling(2), 1, 1.0, 0.0, 1.0))
    plain = zlib.decompress(data)
    for wrong, why in (
        (b"nonsense", "not compressed"),
        (data[:-9], "cut off"),
        (zlib.compress(plain[:-8]), "is cut off"),
        (zlib.compress(plain + b"more"), "follow the last array"),
        (zlib.compress(plain.replace(b"spareline-unit-1", b"spareline-unit-9", 1)), "the form is"),
        (zlib.compress(plain.replace(b'"slot_offer"', b'"slot_other"', 1)), "hold no market"),
        (zlib.compress(plain.replace(b'"|i1"', b'"|O8"', 1)), "no width"),
        (zlib.compress(b"{}\n"), "no arrays"),
        (pack_solved(solve_unit(Unit(middling(3, 5, 4, 2), 1, 0.1, 0.0, 9.0))), "the form is"),
    ):
        with pytest.raises(UnreadableUnit, match=why):
            unpack_unit(wrong, 1.0)


@pytest.mark.parametrize("ours", [0, 2, 5])
def test_the_answer_is_the_same_wherever_parts_are_solved(ours: int) -> None:
    (market, here), seen = several(), []
    post = Post(ours)

    def see(step: Progress) -> None:
        seen.append(step)

    result = solve(market, OPTIONS, see, elsewhere=post)
    assert len(post.solved_by_us) == ours
    assert len(post.sent) == ours  # whatever was sent and did not come back
    assert told(result) == told(here)
    assert here.components > 5
    assert result.reproducible
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok
    assert [seen[-1].components_done, seen[-1].value] == [here.components, here.objective]
    assert seen[-1].bound is not None
    values = [step.value for step in seen]
    assert values == sorted(values)


def test_an_answer_that_does_not_fit_is_solved_here() -> None:
    market, here = several()
    post = Post(spoil=True)
    assert told(solve(market, OPTIONS, elsewhere=post)) == told(here)
    assert sorted(post.solved_by_us) == [0, 1, 2, 3, 4]


def test_after_a_stop_nothing_is_waited_for() -> None:
    market, _ = several()
    post = Post()
    result = solve(market, OPTIONS, cancelled=lambda: True, elsewhere=post)
    assert result.status is Status.CANCELLED
    assert verify(market, result.quantity, result.certificate, objective=result.objective).ok


def test_the_wall_time_is_shared_by_who_works_on_what() -> None:
    assert wall_shares([10, 10, 10], 3) == [1, 1, 1]
    assert wall_shares([10, 10, 10, 10], 3) == [0.5] * 4
    assert wall_shares([30, 20, 10], 2) == [1, 2 / 3, 1 / 3]
    assert wall_shares([6, 2], 1) == [0.75, 0.25]
    assert wall_shares([], 2) == []
    assert np.isfinite(wall_shares([0, 0], 2)).all()
