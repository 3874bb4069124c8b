"""Three ways of matching: Spareline's rounds, calling around, and first come first served."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.uplift.answers import CALL, LISTING, uniform
from benchmarks.uplift.world import AHEAD, Floats, Ints, World
from benchmarks.uplift.year import Proposals, State, Way
from services.matching.engine import Market, Options, Term, solve

_FILL_FEN: Final = 100_000
"""The policy's worth of an hour put to use, beside its surplus."""
_CREDIT_FEN: Final = 2_000
"""The policy's worth of an hour per grade of the firm's credit."""
_WAITED_FEN: Final = 5_000
"""The policy's worth of an hour per week that the demand has waited."""
_WEEKS: Final = 1_000
_PASSES: Final = 1_000
"""More than there are, so that a week and a pass number a call."""
_OPTIONS: Final = Options(
    seed=1, time_limit_seconds=10.0, deterministic_limit=0.005, gap_permille=30.0, workers=1
)


def spareline(options: Options = _OPTIONS) -> Way:
    """Each pass is a round of the engine over the book; later passes repair what was refused."""

    def way(state: State, week: int, _number: int) -> Proposals:
        built = book(state, week)
        if built is None:
            return Proposals.of([])
        market, demand, firm, weeks = built
        result = solve(market, options)
        taken = np.flatnonzero(result.quantity)
        pair = market.x_pair[taken]
        return Proposals(demand[pair], firm[pair], weeks[taken], result.quantity[taken])

    return way


def book(state: State, week: int) -> tuple[Market, Ints, Ints, Ints] | None:
    """The week's market, demand and firm by pair, week by variable; None when no pair is left."""
    demand, firm = state.eligible(week)
    soon = np.arange(week, week + AHEAD)
    x_pair, ahead = np.nonzero(
        (state.free[np.ix_(soon, firm)].T > 0)
        & (soon[None, :] <= state.last_week(demand, week)[:, None])
    )
    used, x_pair = np.unique(x_pair, return_inverse=True)
    if not len(used):
        return None
    demand, firm = demand[used], firm[used]
    offers, pair_offer = np.unique(firm, return_inverse=True)
    lines, pair_line = np.unique(demand, return_inverse=True)
    none, zero = np.zeros(len(lines), np.int64), np.zeros(len(used), np.int64)
    world = state.world
    credit = _CREDIT_FEN * world.firms.credit[firm]
    market = Market.build(
        min_run=np.zeros(len(offers), np.int64),
        slot_offer=np.repeat(np.arange(len(offers)), AHEAD),
        slot_period=np.tile(soon, len(offers)),
        slot_capacity=state.free[np.ix_(soon, offers)].T.ravel(),
        bundle=none,
        budget=none - 1,
        line_demand=np.arange(len(lines)),
        line_quantity=state.wanted[lines],
        line_least=state.least(lines),
        line_max_partners=world.demands.partners[lines],
        line_least_share=none,
        pair_offer=pair_offer,
        pair_line=pair_line,
        pair_min_order=zero,
        pair_unit_cost=zero,
        pair_fixed_cost=zero,
        pair_setup=np.arange(len(used)),
        setup_cost=zero,
        x_pair=x_pair,
        x_slot=pair_offer[x_pair] * AHEAD + ahead,
        terms=[
            Term.of("surplus", per_tick=world.surplus(demand, firm)),
            Term.of("fill", per_tick=zero + _FILL_FEN),
            Term.of("credit", per_tick=credit),
            Term.of("fairness", per_tick=_WAITED_FEN * (week - world.demands.posted[demand])),
        ],
    )
    return market, demand, firm, soon[ahead]


def calling(state: State, week: int, number: int) -> Proposals:
    """Each demand calls one eligible firm by chance; the firm takes it if it still has room.

    Who calls knows all that the engine's rules know, and finds capacity that nobody posted, but
    hears only on the phone how much is idle.
    """
    demand, firm = state.eligible(week)
    key = uniform(state.world.seed, CALL, demand * _WEEKS + week, firm * _PASSES + number)
    order = np.lexsort((key, demand))
    demand, firm, key = demand[order], firm[order], key[order]
    first = np.diff(demand, prepend=-1) != 0
    demand, firm, key = demand[first], firm[first], key[first]
    # Calls come in by chance, not in the order of posting.
    by_chance = np.argsort(key, kind="stable")
    return _in_turn(state, week, [(int(demand[i]), [int(firm[i])]) for i in by_chance])


def listing(state: State, week: int, _number: int) -> Proposals:
    """Demands in the order of posting take the listed offers in the order of posting."""
    demand, firm = state.eligible(week)
    if not len(demand):
        return Proposals.of([])
    key = _posting_order(state.world, week)[firm]
    order = np.lexsort((key, demand))
    demand, firm = demand[order], firm[order]
    start = np.flatnonzero(np.diff(demand, prepend=-1))
    return _in_turn(
        state,
        week,
        [
            (int(demand[at]), firms.tolist())
            for at, firms in zip(start, np.split(firm, start[1:]), strict=True)
        ],
    )


def _posting_order(world: World, week: int) -> Floats:
    """When in the week each firm posted, as a number by chance."""
    firms = np.arange(len(world.firms.capacity))
    return uniform(world.seed, LISTING, np.full(len(firms), week), firms)


def _in_turn(state: State, week: int, queue: list[tuple[int, list[int]]]) -> Proposals:
    """Serve one demand after another from what is left, each at the firms in its order."""
    free = state.free[week : week + AHEAD].copy()
    legs: list[tuple[int, int, int, int]] = []
    for demand, firms in queue:
        served = _serve(state, week, demand, firms, free)
        for leg in served:
            free[leg[2] - week, leg[1]] -= leg[3]
        legs += served
    return Proposals.of(legs)


def _serve(
    state: State, week: int, demand: int, firms: list[int], free: Ints
) -> list[tuple[int, int, int, int]]:
    """Legs for one demand at the first firms that have room; none if its least part is not met."""
    demands = state.world.demands
    wanted = int(state.wanted[demand])
    least = min(int(demands.least[demand]), wanted)
    weeks = min(int(demands.latest[demand]) - week + 1, AHEAD)
    partners = int(demands.partners[demand])
    legs: list[tuple[int, int, int, int]] = []
    left = wanted
    for firm in firms:
        room = int(free[:weeks, firm].sum())
        # One that must do it all is passed over when it can't.
        if room <= 0 or (partners == 1 and room < least):
            continue
        for ahead in range(weeks):
            hours = min(left, int(free[ahead, firm]))
            if hours > 0:
                legs.append((demand, firm, week + ahead, hours))
                left -= hours
        partners -= 1
        if not left or not partners:
            break
    return legs if wanted - left >= least else []
