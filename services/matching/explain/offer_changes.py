"""The smallest single changes to an offer that would have brought it a customer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from services.matching.domain.eligibility import NAMES
from services.matching.domain.tables import Tables, with_row
from services.matching.explain.demand_changes import counterfactual
from services.matching.explain.line_changes import Kind
from services.matching.explain.steps import (
    Change,
    percent_down,
    permille,
    price,
    quantity,
    smallest,
)
from services.matching.explain.whatif import Clock, OutOfTimeError, WhatIf
from spareline.market.v1.capability_pb2 import Unit
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.explanation_pb2 import Explanation


def offer_changes(whatif: WhatIf, offer: int, clock: Clock, made: Explanation) -> None:
    """Add confirmed changes of price, minimum order, minimum run and lead time."""
    try:
        for kind in kinds(whatif.lens.of_offer(offer), offer):
            if not _promising(whatif, offer, kind):
                continue

            def confirmed(change: Change) -> bool:
                return whatif.offer_used(change.tables, offer, clock)

            change = smallest(kind.steps, kind.make, confirmed)
            if change is not None:
                made.counterfactuals.append(counterfactual(change))
    except OutOfTimeError:
        made.unfinished = True  # what was confirmed until now stands


def kinds(tables: Tables, row: int) -> Iterator[Kind]:
    """Every kind of change that the offer leaves room for."""
    offer = tables.offers.messages[row]
    if offer.unit_price:
        yield _lower(tables, row, "unit_price", range(1, 51), ("price",), price)
    if offer.minimum_order:
        yield _lower(tables, row, "minimum_order", range(10, 101, 10), ("size",), quantity)
    if offer.minimum_run:
        yield _lower(tables, row, "minimum_run", range(10, 101, 10), (), quantity)
    if offer.lead_time_periods:
        yield _sooner(tables, row)


def _lower(
    tables: Tables,
    row: int,
    name: str,
    steps: range,
    rules: tuple[str, ...],
    text: Callable[[int, Unit], str],
) -> Kind:
    old = getattr(tables.offers.messages[row], name)
    unit = tables.capabilities[tables.offers.messages[row].capability].unit

    def make(percent: int) -> Change:
        new = percent_down(old, percent)
        changed = _with(tables, row, name, name, new)
        return Change(name, "", text(old, unit), text(new, unit), permille(old, new), changed)

    return Kind(name, steps, make, rules)


def _sooner(tables: Tables, row: int) -> Kind:
    old = tables.offers.messages[row].lead_time_periods

    def make(periods: int) -> Change:
        changed = _with(tables, row, "lead_time_periods", "lead_time", old - periods)
        return Change("lead_time", "", str(old), str(old - periods), periods, changed)

    return Kind("lead_time", range(1, old + 1), make, ("window", "size"))


def _with(tables: Tables, row: int, field: str, column: str, value: int) -> Tables:
    message = Offer()
    message.CopyFrom(tables.offers.messages[row])
    setattr(message, field, value)
    return replace(tables, offers=with_row(tables.offers, row, message, {column: value}))


def _promising(whatif: WhatIf, row: int, kind: Kind) -> bool:
    funnels = whatif.solution.problem.offer_funnels
    gained = any(funnels.alone[row, NAMES.index(rule)] for rule in kind.rules)
    return bool(gained or funnels.eligible[row])
