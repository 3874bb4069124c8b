"""Figures over time: lines and stacked bars in a box of 0 to 100 both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 100.0, 100.0
_WIDEST = 8.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a stack; ``part`` counts from the ground up."""

    part: int
    x: float
    y: float
    width: float
    height: float


def top_of(values: Sequence[int]) -> int:
    """The upper end of an axis: the next of 1, 2, 5, 10, 20, 50 … that holds all values."""
    most, step = max([1, *values]), 1
    while True:
        for factor in (1, 2, 5):
            if most <= factor * step:
                return factor * step
        step *= 10


def line(values: Sequence[int], top: int) -> str:
    """The points of a polyline, evenly apart from left to right; a lone value is a level line."""
    shown = [*values, *values] if len(values) == 1 else list(values)
    last = max(1, len(shown) - 1)
    return " ".join(
        f"{WIDTH * at / last:.2f},{HEIGHT - HEIGHT * value / top:.2f}"
        for at, value in enumerate(shown)
    )


def stacks(rows: Sequence[Sequence[int]], top: int) -> list[Bar]:
    """The bars of stacks side by side, without those of nothing."""
    bars = []
    pitch = WIDTH / max(1, len(rows))
    width = min(pitch * 0.8, _WIDEST)
    for at, row in enumerate(rows):
        ground = HEIGHT
        for part, value in enumerate(row):
            height = HEIGHT * value / top
            ground -= height
            if value:
                bars.append(Bar(part, at * pitch + (pitch - width) / 2, ground, width, height))
    return bars
