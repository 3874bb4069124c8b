"""Generalized assignment instances: read from files, said as a market, costs read back."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.matching.engine import IntArray, Market, Term


@dataclass(frozen=True, eq=False)
class Instance:
    """``cost[m, n]`` and ``use[m, n]`` of job n at agent m, ``capacity[m]``; best known if any."""

    name: str
    cost: IntArray
    use: IntArray
    capacity: IntArray
    known_bound: int | None
    known_cost: int | None

    @property
    def kind(self) -> str:
        """The type that the name begins with: a letter, or gap for the OR-Library's first ones."""
        stem = self.name.rsplit("/", 1)[-1]
        return "gap" if stem.startswith("gap") else stem[:1].upper()

    @property
    def bonus(self) -> int:
        """What serving a job is worth: one job more beats all that costs could differ."""
        spread = (self.cost.max(axis=0) - self.cost.min(axis=0)).sum()
        return int(spread + self.cost.max() + 1)

    def market(self) -> Market:
        """Jobs are demands of one tick, agents offers with one slot; cost is a negative worth."""
        agents, jobs = self.cost.shape
        offer = np.repeat(np.arange(agents), jobs)
        none = np.zeros(agents * jobs, dtype=np.int64)
        return Market.build(
            min_run=[0] * agents,
            slot_offer=range(agents),
            slot_period=[0] * agents,
            slot_capacity=self.capacity,
            bundle=[0] * jobs,
            budget=[-1] * jobs,
            line_demand=range(jobs),
            line_quantity=[1] * jobs,
            line_least=[1] * jobs,
            line_max_partners=[1] * jobs,
            line_least_share=[0] * jobs,
            pair_offer=offer,
            pair_line=np.tile(np.arange(jobs), agents),
            pair_min_order=none,
            pair_unit_cost=none,
            pair_fixed_cost=none,
            pair_setup=np.arange(agents * jobs),
            pair_use=self.use.ravel(),
            setup_cost=none,
            x_pair=np.arange(agents * jobs),
            x_slot=offer,
            terms=[
                Term.of("cost", per_tick=-self.cost.ravel()),
                Term.of("served", per_demand=[self.bonus] * jobs),
            ],
        )

    def cost_of(self, agent: npt.NDArray[np.int64]) -> int | None:
        """The cost of ``agent[n]``, None where it breaks a capacity."""
        jobs = np.arange(self.cost.shape[1])
        load = np.zeros(len(self.capacity), dtype=np.int64)
        np.add.at(load, agent, self.use[agent, jobs])
        return None if (load > self.capacity).any() else int(self.cost[agent, jobs].sum())


def read(directory: Path, pattern: str) -> list[Instance]:
    """Every instance below ``directory`` whose name fits, small ones first."""
    known: dict[str, tuple[int, int]] = {}
    table = directory / "best_known.csv"
    if table.exists():
        with table.open(newline="") as file:
            for row in csv.DictReader(file):
                costs = int(row["best_known_lower_bound"]), int(row["best_known_cost"])
                known[row["instance"]] = costs
    found = []
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and not path.suffix and path.name != "LICENSE" and _fits(name, pattern):
            found.append(parse(name, path.read_text(), *known.get(name, (None, None))))
    return sorted(found, key=lambda one: (one.cost.size, one.name))


def _fits(name: str, pattern: str) -> bool:
    path = Path(name)
    return any(path.match(each.strip()) for each in pattern.split(","))


def parse(name: str, text: str, bound: int | None, cost: int | None) -> Instance:
    """``m n``, m rows of n costs, m rows of n uses, m capacities, all separated by white space.

    Raises:
        ValueError: there are fewer or more numbers than that.
    """
    numbers = np.array(text.split(), dtype=np.int64)
    agents, jobs = int(numbers[0]), int(numbers[1])
    cells = agents * jobs
    if len(numbers) != 2 + 2 * cells + agents:
        raise ValueError(f"{name}: {len(numbers)} numbers do not fit {agents} agents, {jobs} jobs")
    costs = numbers[2 : 2 + cells].reshape(agents, jobs)
    uses = numbers[2 + cells : 2 + 2 * cells].reshape(agents, jobs)
    return Instance(name, costs, uses, numbers[2 + 2 * cells :], bound, cost)
