"""The frontier: what is served against miles and shipments, as the policy's weights move."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.ppe_match.framework import Five
from benchmarks.ppe_match.loop import Tables, enact
from benchmarks.ppe_match.policy import Policy
from benchmarks.ppe_match.strategy import EngineStrategy

SHIPMENT_FACTORS: Final = (0.2, 0.6, 1.0, 2.5)
MILE_FACTORS: Final = (0.25, 1.0, 4.0)
_WIDTH, _HEIGHT, _MARGIN = 460, 340, 56
_COLOURS: Final = ("#1b6ca8", "#2e8b57", "#c0392b")


@dataclass(frozen=True)
class Point:
    """A run of the strategy with some weights, or a rival."""

    name: str
    per_shipment: int
    per_unit_mile: int
    five: Five
    units: int


def frontier(
    data: Tables, interval: int, policy: Policy, tell: Callable[[Point], object]
) -> list[Point]:
    """Every combination of the two weights' factors."""
    points = []
    for mile in MILE_FACTORS:
        for shipment in SHIPMENT_FACTORS:
            moved = replace(
                policy,
                per_shipment=round(policy.per_shipment * shipment),
                per_unit_mile=round(policy.per_unit_mile * mile),
            )
            found, units = enact(EngineStrategy(moved), data, interval)
            name = f"mile × {mile:g}"
            points.append(Point(name, moved.per_shipment, moved.per_unit_mile, found, units))
            tell(points[-1])
    return points


def write(points: Sequence[Point], rivals: Sequence[Point], folder: Path) -> list[Path]:
    """The points as CSV, and two charts side by side as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    table, chart = folder / "ppe-match-frontier.csv", folder / "ppe-match-frontier.svg"
    with table.open("w", newline="") as file:
        rows = [
            {"name": p.name, "per_shipment": p.per_shipment, "per_unit_mile": p.per_unit_mile}
            | asdict(p.five)
            | {"units": p.units}
            for p in (*points, *rivals)
        ]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    chart.write_text(svg(points, rivals), encoding="utf-8")
    return [table, chart]


def svg(points: Sequence[Point], rivals: Sequence[Point]) -> str:
    """Fill against shipments per donor, and against miles per unit (logarithmic)."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * _WIDTH}" height="{_HEIGHT + 40}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        *_panel(points, rivals, 0, "shipments per donor", lambda p: p.five.shipments, False),
        *_panel(points, rivals, _WIDTH, "miles per unit", lambda p: p.five.unit_miles, True),
        *_legend(points),
        "</svg>",
    ]
    return "\n".join(parts)


def _panel(
    points: Sequence[Point],
    rivals: Sequence[Point],
    left: int,
    title: str,
    of: Callable[[Point], float],
    logarithmic: bool,
) -> list[str]:
    """One chart: a line per price of a mile, grey squares for rivals."""
    everyone = [*points, *rivals]
    top = 1.1 * max(p.five.fill for p in everyone)
    low, high = 0.8 * min(map(of, everyone)), 1.15 * max(map(of, everyone))
    right, bottom = _WIDTH - 20, _HEIGHT - _MARGIN

    def across(value: float) -> float:
        share = (value - low) / (high - low)
        if logarithmic:
            share = _log_share(value, low, high)
        return left + _MARGIN + share * (right - _MARGIN)

    def up(value: float) -> float:
        return bottom - value / top * (bottom - 20)

    parts = [
        f'<path d="M{left + _MARGIN} 20V{bottom}H{left + right}" fill="none" stroke="#444"/>',
        f'<text x="{left + _WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">{title}</text>',
        f'<text x="{left + 8}" y="14">fill rate</text>',
    ]
    for step in range(5):
        fill, share = top * step / 4, step / 4
        value = low * (high / low) ** share if logarithmic else low + share * (high - low)
        parts += [
            f'<text x="{left + _MARGIN - 6}" y="{up(fill) + 4:.1f}" text-anchor="end">'
            f"{fill:.3f}</text>",
            f'<text x="{across(value):.1f}" y="{bottom + 18}" text-anchor="middle">'
            f"{value:.3g}</text>",
        ]
    for colour, name in zip(_COLOURS, _names(points), strict=False):
        own = [p for p in points if p.name == name]
        way = " ".join(f"{across(of(p)):.1f},{up(p.five.fill):.1f}" for p in own)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}"/>')
        parts += [
            f'<circle cx="{across(of(p)):.1f}" cy="{up(p.five.fill):.1f}" r="4" fill="{colour}"/>'
            for p in own
        ]
    for rival in rivals:
        x, y = across(of(rival)), up(rival.five.fill)
        anchor = "end" if x > left + _WIDTH * 0.6 else "start"
        parts += [
            f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="#666"/>',
            f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="{anchor}" fill="#444">'
            f"{rival.name}</text>",
        ]
    return parts


def _log_share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(p.name for p in points))


def _legend(points: Sequence[Point]) -> list[str]:
    parts = []
    for at, (colour, name) in enumerate(zip(_COLOURS, _names(points), strict=False)):
        x, y = 70 + 190 * at, _HEIGHT + 22
        parts += [
            f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/>',
            f'<text x="{x + 10}" y="{y}">price of a {name}</text>',
        ]
    x = 70 + 190 * len(_names(points))
    note = "along a line: price of a shipment"
    parts.append(f'<text x="{x}" y="{_HEIGHT + 22}" fill="#444">{note}</text>')
    return parts
