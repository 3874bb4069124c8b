"""What a solve is told, what it reports on the way, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from services.matching.engine.limits import IntArray


class Status(StrEnum):
    """How a solve ended."""

    OPTIMAL = "OPTIMAL"  # the bound equals the value
    FEASIBLE = "FEASIBLE"  # the search limit came first; the gap says how far at most
    CANCELLED = "CANCELLED"  # stopped by the caller; the best assignment so far


class Phase(StrEnum):
    """Where a solve stands."""

    CUT = "CUT"
    GREEDY = "GREEDY"
    SEARCH = "SEARCH"
    DONE = "DONE"


class InfeasiblePins(ValueError):  # noqa: N818 - says what is the case
    """The pinned quantities alone break a constraint, or no assignment contains them."""


@dataclass(frozen=True)
class Options:
    """Limits of one solve.

    The search ends by ``deterministic_limit`` (the solver's own count of work, roughly five to ten
    seconds per unit on the cores it was tried on, shared among the components), so that the answer
    does not depend on the machine; ``time_limit_seconds`` is the safety net, and a result that met
    it is not reproducible. ``gap_permille`` ends a component's search once that close to its bound.
    ``workers`` threads take components in parallel and never change the answer.
    Up to ``stability_permille`` of the value may be given up for fewer blocking pairs
    (`stability.py`), which gets a quarter of both limits; 0 leaves them as they come.
    """

    seed: int = 1
    time_limit_seconds: float = 60.0
    deterministic_limit: float = 4.0
    workers: int = 1
    gap_permille: float = 0.0
    stability_permille: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed is {self.seed}, not within 0..{2**31 - 1}")
        if self.time_limit_seconds <= 0 or self.deterministic_limit <= 0 or self.workers < 1:
            raise ValueError("time limit, deterministic limit and workers must be positive")
        if not 0 <= self.gap_permille < 1000:
            raise ValueError(f"gap_permille is {self.gap_permille}, not within 0..1000")
        if not 0 <= self.stability_permille <= 1000:
            raise ValueError(f"stability_permille is {self.stability_permille}, not within 0..1000")


@dataclass(frozen=True)
class Progress:
    """A look at a running solve; value and bound only ever improve."""

    phase: Phase
    value: int
    bound: int | None
    seconds: float
    components_done: int
    components: int


@dataclass(frozen=True, eq=False)
class Certificate:
    """Prices as integers over ``scale``, and the ``bound`` they prove.

    ``slot_price[S]`` and ``cap_price[C]`` are objective units per tick, ``budget_price[D]``
    objective units per minor unit of budget; none is negative. Where every demand goes whole to
    one offer, ``demand_price[D]`` in objective units proves a bound of its own by a knapsack per
    slot, and ``bound`` is the lower of the two. ``pair_price[P]``, objective units per slot tick
    and of either sign, is zero but for offers with a minimum run; where it is there, minimum runs
    and sequences count in the bound.
    """

    scale: int
    slot_price: IntArray
    cap_price: IntArray
    budget_price: IntArray
    bound: int
    demand_price: IntArray | None = None
    pair_price: IntArray | None = None


@dataclass(frozen=True)
class Stability:
    """How many pairs blocked before and after some were avoided, and what value that took."""

    before: int
    after: int
    paid: int


@dataclass(frozen=True, eq=False)
class Result:
    """An assignment with its proof.

    ``quantity[X]`` in ticks; ``upper_bound`` is the lower of ``certificate.bound`` (anyone can
    recompute it from the prices) and ``solver_bound`` (a solver's word). ``gap`` is
    (upper_bound - objective) / max(1, |upper_bound|). What was given up for fewer blocking pairs
    (``stability``, None where nothing was allowed) is part of the gap.
    """

    quantity: IntArray
    objective: int
    objective_by_term: dict[str, int]
    upper_bound: int
    solver_bound: int
    certificate: Certificate
    gap: float
    status: Status
    reproducible: bool
    components: int
    seconds: float
    timing: dict[str, float] = field(default_factory=dict)  # seconds by step, summed over parts
    stability: Stability | None = None

    @property
    def certified_bound(self) -> int:
        """The bound that the prices alone prove, in the objective's unit."""
        return self.certificate.bound
