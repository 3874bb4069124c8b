"""The year: week by week a way of matching proposes, parties answer, and work is done or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.uplift.answers import accepted, shows_up
from benchmarks.uplift.world import AHEAD, Ints, World


@dataclass(frozen=True)
class Proposals:
    """Legs: so many hours of a demand at a firm in a week."""

    demand: Ints
    firm: Ints
    week: Ints
    hours: Ints

    @staticmethod
    def of(legs: list[tuple[int, int, int, int]]) -> Proposals:
        """From (demand, firm, week, hours)."""
        columns = np.array(legs, dtype=np.int64).reshape(-1, 4).T
        return Proposals(*columns)


@dataclass
class State:
    """What a way of matching may look at, and what has become of the year so far."""

    world: World
    free: Ints  # [W, N] hours that can still be had
    wanted: Ints  # [D] hours still wanted
    refused: npt.NDArray[np.bool_]  # [D, N] not to be proposed again
    used: Ints  # [W, N] hours of work done for others
    lost: Ints  # [W, N] hours held for work that was not done
    proposed: int = 0
    turned_down: int = 0
    surplus: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)

    def open(self, week: int) -> Ints:
        """Demands that can be served now, in the order of posting."""
        demands = self.world.demands
        now = (demands.posted <= week) & (demands.latest >= week) & (self.wanted > 0)
        return np.flatnonzero(now)

    def least(self, demand: Ints) -> Ints:
        """The least part worth having of what is still wanted."""
        return np.minimum(self.world.demands.least[demand], self.wanted[demand])

    def last_week(self, demand: Ints, week: int) -> Ints:
        """The last week that can be seen in which work for the demand may be done."""
        return np.minimum(self.world.demands.latest[demand], week + AHEAD - 1)

    def eligible(self, week: int) -> tuple[Ints, Ints]:
        """Pairs (demand, firm) that keep every rule and were not refused before."""
        world, firms = self.world, self.world.firms
        demand, firm = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        now = self.open(week)
        for capability in np.unique(world.demands.capability[now]):
            asking = now[world.demands.capability[now] == capability]
            offering = np.flatnonzero(firms.capability == capability)
            demand.append(np.repeat(asking, len(offering)))
            firm.append(np.tile(offering, len(asking)))
        d, f = np.concatenate(demand), np.concatenate(firm)
        keep = world.suits(d, f) & ~self.refused[d, f]
        order = np.lexsort((f[keep], d[keep]))
        return d[keep][order], f[keep][order]


@dataclass(frozen=True)
class Outcome:
    """Hours of a year, and how many pairs were proposed and turned down."""

    idle: int
    own: int
    used: int
    lost: int
    asked: int
    proposed: int
    turned_down: int
    surplus: int
    """Fen that buyers and sellers gain together by the work done."""

    @property
    def share(self) -> float:
        """Share of the idle hours put to use."""
        return self.used / max(1, self.idle)

    @property
    def uplift(self) -> float:
        """How much higher utilisation is than without sharing, as a share of that."""
        return self.used / max(1, self.own)

    @property
    def per_hour(self) -> float:
        """Fen gained by an hour worked."""
        return self.surplus / max(1, self.used)

    @property
    def served(self) -> float:
        """Share of the hours asked for that were worked."""
        return self.used / max(1, self.asked)


Way = Callable[[State, int, int], Proposals]
"""Proposes, given the state, the week and the number of the pass within the week."""


def begin(world: World, *, posted_only: bool) -> State:
    """A year in which nothing has happened; who calls around also finds what is not posted."""
    shape = (len(world.demands.quantity), len(world.firms.capacity))
    return State(
        world=world,
        free=(world.posted if posted_only else world.idle).copy(),
        wanted=world.demands.quantity.copy(),
        refused=np.zeros(shape, dtype=bool),
        used=np.zeros_like(world.idle),
        lost=np.zeros_like(world.idle),
    )


def run(world: World, way: Way, passes: int, *, posted_only: bool) -> tuple[Outcome, State]:
    """A year of one way of matching with so many passes a week."""
    state = begin(world, posted_only=posted_only)
    for week in range(world.weeks):
        _reopen(state)
        for number in range(passes):
            made = way(state, week, number)
            if len(made.demand):
                _settle(state, made)
    outcome = Outcome(
        idle=int(world.idle[: world.weeks].sum()),
        own=int(world.own[: world.weeks].sum()),
        # Work booked beyond the year is not in it.
        used=int(state.used[: world.weeks].sum()),
        lost=int(state.lost[: world.weeks].sum()),
        asked=int(world.demands.quantity.sum()),
        proposed=state.proposed,
        turned_down=state.turned_down,
        surplus=state.surplus,
    )
    return outcome, state


def _reopen(state: State) -> None:
    """What was not done is wanted again from the next week on."""
    for demand, hours in state.waiting:
        state.wanted[demand] += hours
    state.waiting.clear()


def _settle(state: State, made: Proposals) -> None:
    """Parties answer; what both accept holds capacity, and is done unless the firm fails.

    Raises:
        RuntimeError: something was proposed that can't be: a fault of the way of matching.
    """
    world = state.world
    pair, of = np.unique(made.demand * len(world.firms.capacity) + made.firm, return_inverse=True)
    demand, firm = np.divmod(pair, len(world.firms.capacity))
    if state.refused[demand, firm].any():
        raise RuntimeError("a refused pair was proposed again")
    yes = accepted(world, demand, firm)
    state.proposed += len(pair)
    state.turned_down += int((~yes).sum())
    state.refused[demand[~yes], firm[~yes]] = True
    hours = np.bincount(made.demand, made.hours * yes[of], len(state.wanted)).astype(np.int64)
    everyone = np.arange(len(state.wanted))
    enough = hours >= state.least(everyone)
    keep = yes[of] & enough[made.demand]
    d, f, w, h = (part[keep] for part in (made.demand, made.firm, made.week, made.hours))
    np.subtract.at(state.free, (w, f), h)
    np.subtract.at(state.wanted, d, h)
    if (state.free < 0).any() or (state.wanted < 0).any():
        raise RuntimeError("more was proposed than is idle or wanted")
    done = shows_up(world, d, f)
    np.add.at(state.used, (w[done], f[done]), h[done])
    np.add.at(state.lost, (w[~done], f[~done]), h[~done])
    gain = world.surplus(d, f) + world.firms.price[f] - world.firms.cost[f]
    state.surplus += int((gain * h)[done].sum())
    # Who failed once is not asked again for the same demand.
    state.refused[d[~done], f[~done]] = True
    state.waiting += list(zip(d[~done].tolist(), h[~done].tolist(), strict=True))
