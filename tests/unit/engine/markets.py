"""Markets for the engine's tests: one made by hand, tiny random ones, and a middling one."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from services.matching.engine import Market, Term
from tests.unit.engine import brute


def small(**changed: Any) -> Market:
    """Two offers with two periods each, two demands with two lines and one; all rules off.

    Pairs: 0 (offer 0, line 0), 1 (offer 1, line 0), 2 (offer 0, line 1), 3 (offer 1, line 2).
    Variables: pair p in period 0 is x 2p, in period 1 is x 2p + 1. Lines want 4 ticks each.
    """
    arrays: dict[str, Any] = {
        "min_run": [0, 0],
        "slot_offer": [0, 0, 1, 1],
        "slot_period": [0, 1, 0, 1],
        "slot_capacity": [4, 4, 4, 4],
        "bundle": [0, 0],
        "budget": [-1, -1],
        "line_demand": [0, 0, 1],
        "line_quantity": [4, 4, 4],
        "line_least": [4, 4, 4],
        "line_max_partners": [0, 0, 0],
        "line_least_share": [0, 0, 0],
        "pair_offer": [0, 1, 0, 1],
        "pair_line": [0, 0, 1, 2],
        "pair_min_order": [0, 0, 0, 0],
        "pair_unit_cost": [10, 10, 10, 10],
        "pair_fixed_cost": [0, 0, 0, 0],
        "pair_setup": [0, 1, 0, 2],
        "setup_cost": [0, 0, 0],
        "x_pair": [0, 0, 1, 1, 2, 2, 3, 3],
        "x_slot": [0, 1, 2, 3, 0, 1, 2, 3],
        "terms": [Term.of("surplus", per_tick=[5, 6, 7, 8])],
    }
    return Market.build(**(arrays | changed))


@st.composite
def tiny(draw: st.DrawFn, *, pins: bool = False, most: int = 3000) -> Market:
    """A market small enough for `brute.optimum`, with every rule on now and then."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rich = draw(st.floats(0, 1))
    for _ in range(50):
        market = random_market(rng, rich, pins=pins)
        if market.variables and brute.count(market) <= most:
            return market
    return small()


def random_market(rng: np.random.Generator, rich: float, *, pins: bool) -> Market:
    """One random market; ``rich`` is how likely each rule is to be on."""

    def maybe(low: int, high: int, size: int, off: int = 0) -> list[int]:
        on = rng.random(size) < rich
        return np.where(on, rng.integers(low, high + 1, size), off).tolist()  # type: ignore[no-any-return]

    offers, times, demands = (
        int(rng.integers(1, 4)),
        int(rng.integers(1, 4)),
        int(rng.integers(1, 4)),
    )
    slots = [(o, t) for o in range(offers) for t in range(times) if rng.random() < 0.7]
    lines = [d for d in range(demands) for _ in range(int(rng.integers(1, 3)))]
    want = rng.integers(1, 4, len(lines))
    pairs = [(o, i) for i in range(len(lines)) for o in range(offers) if rng.random() < 0.5]
    groups = sorted({(o, lines[i]) for o, i in pairs})
    x = [
        (p, s)
        for p, (o, _) in enumerate(pairs)
        for s, (owner, _) in enumerate(slots)
        if owner == o and rng.random() < 0.8
    ]
    rules = [
        (i, i + 1)
        for i in range(len(lines) - 1)
        if lines[i] == lines[i + 1] and rng.random() < rich
    ]
    caps = [[p for p in range(len(pairs)) if rng.random() < 0.6] for _ in range(2)]
    caps = [cap for cap in caps if cap and rng.random() < rich]
    use = maybe(2, 3, len(pairs), 1)
    pinned = [i for i in range(len(x)) if pins and rng.random() < 0.3]
    partial = rng.random(len(lines)) < rich
    count = len(pairs)
    return Market.build(
        min_run=maybe(1, 5, offers),
        slot_offer=[o for o, _ in slots],
        slot_period=[t for _, t in slots],
        slot_capacity=rng.integers(0, 4, len(slots)),
        bundle=maybe(1, 1, demands),
        budget=maybe(0, 60, demands, -1),
        line_demand=lines,
        line_quantity=want,
        line_least=np.where(partial, rng.integers(1, want + 1), want),
        line_max_partners=maybe(1, 2, len(lines)),
        line_least_share=maybe(1, 2, len(lines)),
        before_line=[a for a, _ in rules],
        after_line=[b for _, b in rules],
        pair_offer=[o for o, _ in pairs],
        pair_line=[i for _, i in pairs],
        pair_min_order=maybe(1, 3, count),
        pair_unit_cost=rng.integers(0, 12, count),
        pair_fixed_cost=maybe(1, 9, count),
        pair_setup=[groups.index((o, lines[i])) for o, i in pairs],
        pair_use=use,
        setup_cost=maybe(1, 15, len(groups)),
        x_pair=[p for p, _ in x],
        x_slot=[s for _, s in x],
        cap_limit=rng.integers(0, 6, len(caps)),
        cap_start=np.cumsum([0] + [len(cap) for cap in caps]),
        cap_pairs=[p for cap in caps for p in cap],
        pin_x=pinned,
        pin_quantity=rng.integers(0, 2, len(pinned)),
        terms=[
            Term.of(
                "surplus",
                per_tick=rng.integers(-4, 20, count),
                per_pair=maybe(-9, 4, count),
                per_setup=maybe(-15, 5, len(groups)),
            ),
            Term.of("fill", per_demand=maybe(-10, 20, demands), per_line=maybe(-5, 10, len(lines))),
        ],
    )


def middling(seed: int, offers: int = 30, demands: int = 40, periods: int = 6) -> Market:
    """Some hundred pairs in several regions, with enough rules on to need a search."""
    rng = np.random.default_rng(seed)
    slots = [(o, t) for o in range(offers) for t in range(periods)]
    pairs = [(o, d) for d in range(demands) for o in range(offers) if (o + d) % 5 == 0]
    x = [(p, o * periods + t) for p, (o, d) in enumerate(pairs) for t in range(d % 3, periods)]
    want = rng.integers(3, 15, demands)
    price = rng.integers(5, 30, offers)
    worth = rng.integers(15, 50, demands)
    setup = rng.integers(0, 60, len(pairs))
    return Market.build(
        min_run=np.where(rng.random(offers) < 0.2, 8, 0),
        slot_offer=[o for o, _ in slots],
        slot_period=[t for _, t in slots],
        slot_capacity=rng.integers(0, 4, len(slots)),
        bundle=[0] * demands,
        budget=[-1] * demands,
        line_demand=list(range(demands)),
        line_quantity=want,
        line_least=np.where(rng.random(demands) < 0.4, (want + 1) // 2, want),
        line_max_partners=rng.integers(1, 4, demands),
        line_least_share=[2] * demands,
        pair_offer=[o for o, _ in pairs],
        pair_line=[d for _, d in pairs],
        pair_min_order=[0] * len(pairs),
        pair_unit_cost=[int(price[o]) for o, _ in pairs],
        pair_fixed_cost=[0] * len(pairs),
        pair_setup=list(range(len(pairs))),
        setup_cost=setup,
        x_pair=[p for p, _ in x],
        x_slot=[s for _, s in x],
        terms=[
            Term.of(
                "surplus",
                per_tick=[int(worth[d] - price[o]) for o, d in pairs],
                per_setup=-setup,
            )
        ],
    )


@st.composite
def tiny_transport(draw: st.DrawFn, *, ruled: bool, most: int = 2000) -> Market:
    """One line per demand and nothing shared but slots; ``ruled``: one-off costs and line rules."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for _ in range(50):
        market = transport(rng, 3, 3, 2, ruled=ruled, most=3)
        if market.variables and brute.count(market) <= most:
            return market
    return transport(rng, 1, 1, 1, ruled=ruled, most=3)


def transport(
    rng: np.random.Generator, offers: int, demands: int, periods: int, *, ruled: bool, most: int
) -> Market:
    """A random market of that size; lines and slots of up to ``most`` ticks."""
    slots = [(o, t) for o in range(offers) for t in range(periods)]
    pairs = [(o, d) for d in range(demands) for o in range(offers) if rng.random() < 0.7]
    pairs = pairs or [(0, 0)]
    x = [(p, o * periods + t) for p, (o, _) in enumerate(pairs) for t in range(periods)]
    count, want = len(pairs), rng.integers(1, most + 1, demands)

    def maybe(low: int, high: int, size: int) -> Any:
        return rng.integers(low, high + 1, size) * (rng.random(size) < 0.5) * ruled

    return Market.build(
        min_run=[0] * offers,
        slot_offer=[o for o, _ in slots],
        slot_period=[t for _, t in slots],
        slot_capacity=rng.integers(0, most + 1, len(slots)),
        bundle=[0] * demands,
        budget=[-1] * demands,
        line_demand=range(demands),
        line_quantity=want,
        line_least=np.maximum(1, np.minimum(want, maybe(1, most, demands))),
        line_max_partners=maybe(1, 2, demands),
        line_least_share=maybe(1, 2, demands),
        pair_offer=[o for o, _ in pairs],
        pair_line=[d for _, d in pairs],
        pair_min_order=maybe(1, 2, count),
        pair_unit_cost=[0] * count,
        pair_fixed_cost=[0] * count,
        pair_setup=range(count),
        setup_cost=[0] * count,
        x_pair=[p for p, _ in x],
        x_slot=[s for _, s in x],
        terms=[
            Term.of(
                "surplus",
                per_tick=rng.integers(-4, 20, count),
                per_pair=-maybe(0, 12, count),
                per_setup=-maybe(0, 12, count),
            ),
            Term.of("fill", per_line=maybe(-8, 8, demands), per_demand=maybe(-8, 8, demands)),
        ],
    )
