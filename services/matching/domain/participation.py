"""What of a demand takes part in a round: which lines, how much of them, and when.

A demand with a live claim takes part with what is still open of its lines, so an all-or-nothing
line with a claim, and a bundle with any, is out. A line that must follow one already served waits
for the end of that one; when that end is not known, it is out.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.matching.domain import periods
from services.matching.domain.live import Live
from spareline.market.v1.demand_pb2 import Demand, Line


@dataclass(frozen=True)
class OpenLine:
    """A line as a round sees it. Quantities in ticks, periods as ordinals, ends included."""

    line: Line
    quantity: int
    least: int
    least_share: int
    earliest: int
    latest: int


def open_lines(demand: Demand, live: Live) -> list[OpenLine]:
    """Return the lines of a demand that take part, in the order in which they are written."""
    claimed = {line.id: _claimed(demand, line.id, live) for line in demand.lines}
    if demand.bundle and any(claimed.values()):
        return []
    found = []
    for line in demand.lines:
        rest = line.quantity - claimed[line.id]
        if rest <= 0 or (claimed[line.id] and not line.least_quantity):
            continue
        window = _window(demand, line, claimed, live)
        if window is not None:
            found.append(open_line(line, rest, *window))
    return found


def open_line(line: Line, rest: int, earliest: int, latest: int) -> OpenLine:
    """Return a line with ``rest`` ticks open; least parts never ask for more than the rest."""
    least = min(line.least_quantity or line.quantity, rest)
    share = min(line.sourcing.least_share, rest)
    return OpenLine(line, rest, least, share, earliest, latest)


def _claimed(demand: Demand, line: str, live: Live) -> int:
    for balance in demand.balances:
        if balance.line == line:
            back = live.line_back.get((demand.name, line), 0)
            return max(0, balance.held + balance.committed - back)
    return 0


def _window(
    demand: Demand, line: Line, claimed: dict[str, int], live: Live
) -> tuple[int, int] | None:
    """The line's window, narrowed by what its demand has been promised already."""
    earliest = periods.ordinal(line.window.earliest)
    latest = periods.ordinal(line.window.latest)
    for rule in demand.precedences:
        other = rule.before if rule.after == line.id else rule.after
        if line.id not in (rule.before, rule.after) or not claimed.get(other):
            continue
        span = live.spans.get((demand.name, other))
        if span is None:
            return None
        if rule.after == line.id:
            earliest = max(earliest, span[1] + 1)
        else:
            latest = min(latest, span[0] - 1)
    return earliest, latest
