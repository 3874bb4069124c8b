"""The sample as a book, without any server: what a round would see on the day of the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from deploy.sample import files, people, postings, terms
from deploy.sample.files import Entry
from deploy.sample.measures import Measures, monday_of
from services.matching.domain import policies, problem
from services.matching.domain.assignment import drafts
from services.matching.domain.book import Book
from services.matching.domain.eligibility import NAMES
from services.matching.domain.problem import Problem
from services.matching.engine import Options, Result, solve
from services.registry import convert_taxonomy
from services.registry.domain.taxonomy import Taxonomy, load_taxonomy
from spareline.market.v1.demand_pb2 import Demand
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.proposal_pb2 import Proposal

LOAD_DAY = date(2026, 11, 25)  # a Wednesday; the numbers must not hang on the day


def measures(taxonomy: Taxonomy, day: date = LOAD_DAY) -> Measures:
    resolution = {each.code: Decimal(str(each.unit.resolution)) for each in taxonomy}
    return Measures(resolution, monday_of(day))


@dataclass(frozen=True)
class Cleared:
    """A round over the sample."""

    problem: Problem
    result: Result
    proposals: dict[str, Proposal]
    """By the demand's id in the files."""

    def rows(self, demand: str) -> list[int]:
        name = terms.posting_name(demand, "demands")
        return [row for (owner, _), row in self.problem.tables.lines.index.items() if owner == name]

    def eligible(self, demand: str) -> list[int]:
        """Eligible offers of each of its lines."""
        return [int(self.problem.line_funnels.eligible[row]) for row in self.rows(demand)]

    def falls(self, row: int, *, alone: bool) -> dict[str, int]:
        """Offers that fall at each rule first, or at it alone."""
        funnels = self.problem.line_funnels
        counts = (funnels.alone if alone else funnels.first)[row].tolist()
        return {name: n for name, n in zip(NAMES, counts, strict=True) if n}


def book(day: date = LOAD_DAY, change: Mapping[str, Entry] | None = None) -> Book:
    """The sample's book; ``change`` gives some demands other fields."""
    taxonomy = load_taxonomy()
    units = measures(taxonomy, day)
    made = Book()
    for each in taxonomy:
        made.apply_capability(convert_taxonomy.capability(each))
    for entry in files.organizations():
        organization = people.organization(entry)
        organization.name = terms.organization(entry["id"])
        organization.credit_grade = "C"
        organization.generation = 1
        made.apply_organization(organization)
    for entry in files.offers():
        offer = postings.offer(entry, units)
        offer.state, offer.generation = Offer.STATE_OPEN, 1
        made.apply_offer(offer)
    for entry in files.demands():
        changed = {**entry, **(change or {}).get(entry["id"], {})}
        demand = postings.demand(changed, units)
        demand.state, demand.generation = Demand.STATE_OPEN, 1
        made.apply_demand(demand)
    return made


def clear(day: date = LOAD_DAY, change: Mapping[str, Entry] | None = None) -> Cleared:
    """Solve the sample under the policy that a new market starts with."""
    policy = policies.standard()
    now = monday_of(day).toordinal() // 7
    built = problem.build(book(day, change).snapshot(), policy, now_period=now)
    result = solve(built.market, Options(time_limit_seconds=60))
    proposals = drafts(built, result.quantity, "rounds/sample", policy)
    return Cleared(built, result, {_short(each.demand): each for each in proposals})


def _short(name: str) -> str:
    _, owner, _, posting = name.split("/")
    return f"{owner}/{posting}"
