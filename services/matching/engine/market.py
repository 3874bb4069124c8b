"""The assignment problem as arrays: what the engine is given, checked once and never changed.

Every array is int64 and read-only. Quantities are in ticks, money in minor units of the market's
one settlement currency, periods are ordinals that only need to be ordered. Entities are positions:
offer ``o`` is row ``o`` of every per-offer array, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from services.matching.engine.checks import check
from services.matching.engine.limits import IntArray, InvalidMarket

IntInput = npt.ArrayLike


@dataclass(frozen=True, eq=False)
class Term:
    """One named summand of the objective, in minor units (or any one integer unit for all terms).

    ``per_tick[P]`` counts once per tick a pair carries, ``per_pair[P]`` once when the pair is used,
    ``per_setup[G]`` once when any pair of the set-up group is used, ``per_demand[D]`` once when the
    demand is served (whole for a bundle, at all otherwise), ``per_line[L]`` once when the line is
    served. An empty array stands for zeros; `Market.build` widens it.
    """

    name: str
    per_tick: IntArray
    per_pair: IntArray
    per_setup: IntArray
    per_demand: IntArray
    per_line: IntArray

    @staticmethod
    def of(
        name: str,
        *,
        per_tick: IntInput = (),
        per_pair: IntInput = (),
        per_setup: IntInput = (),
        per_demand: IntInput = (),
        per_line: IntInput = (),
    ) -> Term:
        """A term from anything array-like; what is left out counts as zero."""
        return Term(
            name,
            _array("per_tick", per_tick),
            _array("per_pair", per_pair),
            _array("per_setup", per_setup),
            _array("per_demand", per_demand),
            _array("per_line", per_line),
        )


@dataclass(frozen=True, eq=False)
class Market:
    """One round's problem. Build it with `Market.build`, which checks shapes and ranges.

    Sizes: O offers, S slots, D demands, L lines, K precedences, P pairs, G set-up groups,
    X variables (a pair in one of its slots), C concentration caps, N pins.
    """

    min_run: IntArray  # [O] ticks over all demands in this round, 0 none
    slot_offer: IntArray  # [S]
    slot_period: IntArray  # [S] ordinal of the period
    slot_capacity: IntArray  # [S] ticks left
    bundle: IntArray  # [D] 1: all lines or none
    budget: IntArray  # [D] minor units, -1 none
    line_demand: IntArray  # [L]
    line_quantity: IntArray  # [L] ticks still wanted, at least 1
    line_least: IntArray  # [L] least part worth having, 1..quantity
    line_max_partners: IntArray  # [L] offers at most, 0 none
    line_least_share: IntArray  # [L] ticks per partner at least, 0 none
    before_line: IntArray  # [K]
    after_line: IntArray  # [K] starts in a period after the last of before_line
    pair_offer: IntArray  # [P]
    pair_line: IntArray  # [P]
    pair_min_order: IntArray  # [P] ticks, 0 none
    pair_unit_cost: IntArray  # [P] what the demand pays per tick, transport included
    pair_fixed_cost: IntArray  # [P] what the demand pays once per pair
    pair_setup: IntArray  # [P] -> G, the (offer, demand) group
    pair_use: IntArray  # [P] ticks of slot capacity that one tick of the pair takes, at least 1
    setup_cost: IntArray  # [G] what the demand pays once per offer that serves it
    x_pair: IntArray  # [X]
    x_slot: IntArray  # [X] a slot of the pair's offer
    cap_limit: IntArray  # [C] ticks
    cap_start: IntArray  # [C + 1] row starts into cap_pairs
    cap_pairs: IntArray  # pairs of each cap
    pin_x: IntArray  # [N]
    pin_quantity: IntArray  # [N] the value x[pin_x] must keep
    terms: tuple[Term, ...]

    @staticmethod
    def build(
        *,
        min_run: IntInput,
        slot_offer: IntInput,
        slot_period: IntInput,
        slot_capacity: IntInput,
        bundle: IntInput,
        budget: IntInput,
        line_demand: IntInput,
        line_quantity: IntInput,
        line_least: IntInput,
        line_max_partners: IntInput,
        line_least_share: IntInput,
        pair_offer: IntInput,
        pair_line: IntInput,
        pair_min_order: IntInput,
        pair_unit_cost: IntInput,
        pair_fixed_cost: IntInput,
        pair_setup: IntInput,
        setup_cost: IntInput,
        x_pair: IntInput,
        x_slot: IntInput,
        terms: Sequence[Term],
        pair_use: IntInput | None = None,
        before_line: IntInput = (),
        after_line: IntInput = (),
        cap_limit: IntInput = (),
        cap_start: IntInput = (0,),
        cap_pairs: IntInput = (),
        pin_x: IntInput = (),
        pin_quantity: IntInput = (),
    ) -> Market:
        """A checked market from anything array-like; each pair takes one to one if not told else.

        Raises:
            InvalidMarket: a shape, a reference or a range is wrong; the message says which.
        """
        given = dict(locals())
        del given["terms"]
        if pair_use is None:
            given["pair_use"] = np.ones(len(np.asarray(pair_offer)), dtype=np.int64)
        arrays = {name: _array(name, value) for name, value in given.items()}
        sizes = (len(arrays["pair_offer"]), len(arrays["setup_cost"]))
        counts = (len(arrays["bundle"]), len(arrays["line_demand"]))
        market = Market(**arrays, terms=tuple(_widened(t, *sizes, *counts) for t in terms))
        check(market)
        return market

    @property
    def offers(self) -> int:
        """Number of offers, O."""
        return len(self.min_run)

    @property
    def slots(self) -> int:
        """Number of slots, S."""
        return len(self.slot_offer)

    @property
    def demands(self) -> int:
        """Number of demands, D."""
        return len(self.bundle)

    @property
    def lines(self) -> int:
        """Number of lines, L."""
        return len(self.line_demand)

    @property
    def pairs(self) -> int:
        """Number of eligible pairs, P."""
        return len(self.pair_offer)

    @property
    def setups(self) -> int:
        """Number of set-up groups, G."""
        return len(self.setup_cost)

    @property
    def variables(self) -> int:
        """Number of quantity variables, X."""
        return len(self.x_pair)

    @property
    def caps(self) -> int:
        """Number of concentration caps, C."""
        return len(self.cap_limit)

    def with_arrays(self, **changed: IntInput) -> Market:
        """A checked copy with some arrays replaced: how a what-if or a counterfactual is made.

        Raises:
            InvalidMarket: the changed arrays no longer fit together.
        """
        arrays = {name: _array(name, value) for name, value in changed.items()}
        market = replace(self, **arrays)  # type: ignore[arg-type]
        check(market)
        return market

    def arrays(self) -> Iterable[tuple[str, IntArray]]:
        """Every array but the terms, with its name, in the order of declaration."""
        for field in fields(self):
            if field.name != "terms":
                yield field.name, getattr(self, field.name)


def _array(name: str, value: IntInput) -> IntArray:
    """A read-only one-dimensional int64 copy; a float or a nested list is refused."""
    raw = np.asarray(value)
    if raw.ndim != 1:
        raise InvalidMarket(f"{name} must have one dimension, it has {raw.ndim}")
    if raw.size and raw.dtype.kind not in "iub":
        raise InvalidMarket(f"{name} must hold integers, it holds {raw.dtype}")
    array = raw.astype(np.int64)
    array.setflags(write=False)
    return array


def _widened(term: Term, pairs: int, setups: int, demands: int, lines: int) -> Term:
    """The term with each empty array replaced by zeros of the right length."""

    def full(array: IntArray, size: int) -> IntArray:
        if len(array) or not size:
            return array
        zeros = np.zeros(size, dtype=np.int64)
        zeros.setflags(write=False)
        return zeros

    return Term(
        term.name,
        full(term.per_tick, pairs),
        full(term.per_pair, pairs),
        full(term.per_setup, setups),
        full(term.per_demand, demands),
        full(term.per_line, lines),
    )
