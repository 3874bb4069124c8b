"""The rules a market's arrays must keep before anything is solved, each with a clear message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from services.matching.engine.columns import COLUMNS, IN_WORDS, OF_TERM
from services.matching.engine.limits import (
    LARGEST_MONEY,
    LARGEST_OBJECTIVE,
    LARGEST_QUANTITY,
    IntArray,
    InvalidMarket,
)

if TYPE_CHECKING:
    from services.matching.engine.market import Market, Term


def check(market: Market) -> None:
    """Check shapes, references, ranges and the size of the objective.

    Raises:
        InvalidMarket: the first rule that is broken, with array, row and number.
    """
    _shapes(market)
    _references(market)
    _ranges(market)
    _structure(market)
    _magnitude(market)


def _shapes(m: Market) -> None:
    for kind, names in COLUMNS.items():
        lengths = {name: len(getattr(m, name)) for name in names}
        if len(set(lengths.values())) > 1:
            raise InvalidMarket(f"{IN_WORDS.get(kind, kind)} arrays differ in length: {lengths}")
    if len(m.cap_start) != m.caps + 1:
        raise InvalidMarket(f"cap_start has {len(m.cap_start)} entries, {m.caps + 1} are needed")
    for term in m.terms:
        for name, kind in OF_TERM.items():
            size = len(getattr(m, COLUMNS[kind][0]))
            if len(getattr(term, name)) != size:
                raise InvalidMarket(
                    f"term {term.name!r}: {name} has {len(getattr(term, name))} entries, not {size}"
                )
    names_of_terms = [term.name for term in m.terms]
    if len(set(names_of_terms)) != len(names_of_terms):
        raise InvalidMarket(f"two terms share a name: {sorted(names_of_terms)}")


def _within(name: str, array: IntArray, low: int, high: int) -> None:
    """Every entry lies in [low, high]."""
    wrong = np.flatnonzero((array < low) | (array > high))
    if len(wrong):
        row = int(wrong[0])
        raise InvalidMarket(f"{name}[{row}] is {int(array[row])}, not within {low}..{high}")


def _references(m: Market) -> None:
    _within("slot_offer", m.slot_offer, 0, m.offers - 1)
    _within("line_demand", m.line_demand, 0, m.demands - 1)
    _within("before_line", m.before_line, 0, m.lines - 1)
    _within("after_line", m.after_line, 0, m.lines - 1)
    _within("pair_offer", m.pair_offer, 0, m.offers - 1)
    _within("pair_line", m.pair_line, 0, m.lines - 1)
    _within("pair_setup", m.pair_setup, 0, m.setups - 1)
    _within("x_pair", m.x_pair, 0, m.pairs - 1)
    _within("x_slot", m.x_slot, 0, m.slots - 1)
    _within("cap_pairs", m.cap_pairs, 0, m.pairs - 1)
    _within("pin_x", m.pin_x, 0, m.variables - 1)
    if (
        m.cap_start[0] != 0
        or m.cap_start[-1] != len(m.cap_pairs)
        or np.any(np.diff(m.cap_start) < 0)
    ):
        raise InvalidMarket("cap_start must rise from 0 to the length of cap_pairs")


def _ranges(m: Market) -> None:
    _within("min_run", m.min_run, 0, LARGEST_QUANTITY)
    _within("slot_period", m.slot_period, -LARGEST_QUANTITY, LARGEST_QUANTITY)
    _within("slot_capacity", m.slot_capacity, 0, LARGEST_QUANTITY)
    _within("bundle", m.bundle, 0, 1)
    _within("budget", m.budget, -1, LARGEST_MONEY)
    _within("line_quantity", m.line_quantity, 1, LARGEST_QUANTITY)
    _within("line_least", m.line_least, 1, LARGEST_QUANTITY)
    _within("line_max_partners", m.line_max_partners, 0, LARGEST_QUANTITY)
    _within("line_least_share", m.line_least_share, 0, LARGEST_QUANTITY)
    _within("pair_min_order", m.pair_min_order, 0, LARGEST_QUANTITY)
    _within("pair_unit_cost", m.pair_unit_cost, 0, LARGEST_MONEY)
    _within("pair_fixed_cost", m.pair_fixed_cost, 0, LARGEST_MONEY)
    _within("pair_use", m.pair_use, 1, LARGEST_QUANTITY)
    _within("setup_cost", m.setup_cost, 0, LARGEST_MONEY)
    _within("cap_limit", m.cap_limit, 0, LARGEST_QUANTITY)
    _within("pin_quantity", m.pin_quantity, 0, LARGEST_QUANTITY)
    wrong = np.flatnonzero(m.line_least > m.line_quantity)
    if len(wrong):
        row = int(wrong[0])
        least, quantity = int(m.line_least[row]), int(m.line_quantity[row])
        raise InvalidMarket(f"line_least[{row}] is {least}, above the line's quantity {quantity}")


def _structure(m: Market) -> None:
    _unique("slot (offer, period)", m.slot_offer, m.slot_period)
    _unique("pair (offer, line)", m.pair_offer, m.pair_line)
    _unique("variable (pair, slot)", m.x_pair, m.x_slot)
    _unique("pin", m.pin_x, np.zeros_like(m.pin_x))
    owner = np.repeat(np.arange(m.caps), np.diff(m.cap_start))
    _unique("cap entry (cap, pair)", owner, m.cap_pairs)
    wrong = np.flatnonzero(m.slot_offer[m.x_slot] != m.pair_offer[m.x_pair])
    if len(wrong):
        raise InvalidMarket(f"x_slot[{int(wrong[0])}] is a slot of another offer than its pair's")
    wrong = np.flatnonzero(m.line_demand[m.before_line] != m.line_demand[m.after_line])
    if len(wrong):
        raise InvalidMarket(f"precedence {int(wrong[0])} joins lines of two demands")
    _one_group_per_offer_and_demand(m)
    _no_cycle(m)


def _unique(what: str, first: IntArray, second: IntArray) -> None:
    if len(first) > 1:
        order = np.lexsort((second, first))
        same = (np.diff(first[order]) == 0) & (np.diff(second[order]) == 0)
        if same.any():
            where = int(np.flatnonzero(same)[0])
            rows = sorted((int(order[where]), int(order[where + 1])))
            raise InvalidMarket(f"{what} stands twice, in rows {rows[0]} and {rows[1]}")


def _one_group_per_offer_and_demand(m: Market) -> None:
    """A set-up group is one (offer, demand), and one (offer, demand) is one group."""
    if not m.pairs:
        return
    demand = m.line_demand[m.pair_line]
    whole = m.pair_offer * (m.demands + 1) + demand
    of_group = np.full(m.setups, -1, dtype=np.int64)
    of_group[m.pair_setup] = whole
    used = np.sort(of_group[of_group >= 0])
    if (of_group[m.pair_setup] == whole).all() and (np.diff(used) > 0).all():
        return
    groups = np.unique(np.stack([m.pair_setup, whole], axis=1), axis=0)
    for column, text in (
        (0, "covers two (offer, demand)"),
        (1, "is split for one (offer, demand)"),
    ):
        values, counts = np.unique(groups[:, column], return_counts=True)
        if (counts > 1).any():
            row = groups[groups[:, column] == values[counts > 1][0]][0]
            raise InvalidMarket(f"pair_setup: group {int(row[0])} {text}")


def _no_cycle(m: Market) -> None:
    """Precedences that go round could never be served; say so instead of leaving a demand dark."""
    waiting = np.bincount(m.after_line, minlength=m.lines) if len(m.after_line) else None
    if waiting is None:
        return
    followers: dict[int, list[int]] = {}
    for before, after in zip(m.before_line.tolist(), m.after_line.tolist(), strict=True):
        followers.setdefault(before, []).append(after)
    ready = [line for line in np.unique(m.before_line).tolist() if waiting[line] == 0]
    while ready:
        for after in followers.pop(ready.pop(), []):
            waiting[after] -= 1
            if waiting[after] == 0:
                ready.append(after)
    if waiting.any():
        raise InvalidMarket(f"line {int(np.flatnonzero(waiting)[0])} comes before itself")


def _one_off(term: Term) -> tuple[IntArray, ...]:
    return term.per_pair, term.per_setup, term.per_demand, term.per_line


def _small(term: Term) -> bool:
    """Whether every weight is within its range."""
    parts = (term.per_tick, *_one_off(term))
    return all(
        int(part.max(initial=0)) <= LARGEST_MONEY and int(part.min(initial=0)) >= -LARGEST_MONEY
        for part in parts
    )


def _magnitude(m: Market) -> None:
    """The largest conceivable objective fits in int64, so that no exact sum can overflow."""
    room = m.slot_capacity[m.x_slot] // m.pair_use[m.x_pair]
    reach = np.minimum(room, m.line_quantity[m.pair_line[m.x_pair]])
    # Sums of rounded numbers tell at once when all is far from the limit; most markets are.
    rough = float((m.pair_unit_cost[m.x_pair] * reach.astype(np.float64)).sum())
    rough += sum(
        float((np.abs(term.per_tick)[m.x_pair] * reach.astype(np.float64)).sum())
        + sum(float(np.abs(part).sum(dtype=np.float64)) for part in _one_off(term))
        for term in m.terms
    )
    sizes = all(_small(term) for term in m.terms)
    if sizes and rough < LARGEST_OBJECTIVE / 2:
        return
    total = 0
    for term in m.terms:
        for name in ("per_tick", "per_pair", "per_setup", "per_demand", "per_line"):
            _within(
                f"term {term.name!r}: {name}", getattr(term, name), -LARGEST_MONEY, LARGEST_MONEY
            )
        per_x = np.abs(term.per_tick[m.x_pair]).astype(object) * reach
        total += int(per_x.sum()) if len(per_x) else 0
        for part in (term.per_pair, term.per_setup, term.per_demand, term.per_line):
            total += int(np.abs(part).astype(object).sum()) if len(part) else 0
    spent = m.pair_unit_cost[m.x_pair].astype(object) * reach
    total = max(total, int(spent.sum()) if len(spent) else 0)
    if total > LARGEST_OBJECTIVE:
        raise InvalidMarket(f"the objective could reach {total}, above {LARGEST_OBJECTIVE}")
