"""Books for tests: a builder with sensible defaults, and a generator of random small ones."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from services.matching.domain import periods
from services.matching.domain.book_snapshot import BookSnapshot
from spareline.market.v1.capability_pb2 import AttributeSchema, AttributeValue, Capability
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.market.v1.organization_pb2 import Organization
from spareline.matching.v1.policy_pb2 import Policy

NOW = periods.ordinal("2026-W48")
SITES = {
    "CN-ZJ": (30.27, 120.15),
    "CN-SH": (31.23, 121.47),
    "CN-GD": (23.13, 113.26),
    "DE-BW": (48.78, 9.18),
    "IT-45": (44.49, 11.34),
}
MILLING = "production.machining.milling"
FIVE_AXIS = f"{MILLING}.5-axis"
TURNING = "production.machining.turning"
DESIGN = "research.design"


RESOLUTION = "0.5"  # one tick, in the unit of every capability here


def week(ahead: int) -> str:
    """The ISO week so many periods from now."""
    return periods.name(NOW + ahead)


def policy(**changed: object) -> Policy:
    made = Policy(
        name="policies/test",
        version=1,
        surplus_permille=1000,
        horizon_periods=26,
        **changed,  # type: ignore[arg-type]
    )
    made.time_limit.seconds = 20
    return made


def capability(code: str, unit: str = "machine_hour", *, ships: bool = True) -> Capability:
    made = Capability(name=f"capabilities/{code}", code=code, ships=ships)
    made.unit.code = unit
    made.unit.resolution = RESOLUTION
    kinds = AttributeSchema
    made.attributes.add(key="axes", type=kinds.TYPE_INTEGER, rule=kinds.RULE_AT_LEAST)
    made.attributes.add(key="tolerance", type=kinds.TYPE_INTEGER, rule=kinds.RULE_AT_MOST)
    made.attributes.add(key="materials", type=kinds.TYPE_CHOICES, rule=kinds.RULE_ALL_OF)
    made.attributes.add(key="supply", type=kinds.TYPE_CHOICES, rule=kinds.RULE_ONE_OF)
    made.attributes.add(key="probing", type=kinds.TYPE_BOOLEAN, rule=kinds.RULE_EQUALS)
    made.attributes.add(key="mass", type=kinds.TYPE_RANGE, rule=kinds.RULE_WITHIN)
    return made


CAPABILITIES = (
    capability("production"),
    capability("production.machining"),
    capability(MILLING),
    capability(FIVE_AXIS),
    capability(TURNING),
    capability(DESIGN, "engineer_day", ships=False),
)


def organization(
    name: str,
    region: str = "CN-ZJ",
    grade: str = "B",
    standards: Iterable[str] = (),
) -> Organization:
    made = Organization(
        name=f"organizations/{name}",
        display_name=f"Firm {name}",
        region=region,
        credit_grade=grade,
        standards=list(standards),
        generation=1,
    )
    made.location.latitude, made.location.longitude = SITES[region]
    return made


def offer(
    name: str,
    *,
    code: str = FIVE_AXIS,
    capacity: Mapping[int, int] | None = None,
    price: int = 100,
    attributes: Mapping[str, AttributeValue] | None = None,
    **changed: object,
) -> Offer:
    """An offer named "firm/mill" with capacity by periods ahead of now."""
    owner, _, short = name.partition("/")
    made = Offer(
        name=f"organizations/{owner}/offers/{short}",
        capability=code,
        title=f"Offer {short}",
        unit_price=price,
        state=Offer.STATE_OPEN,
        generation=1,
        **changed,  # type: ignore[arg-type]
    )
    for ahead, quantity in (capacity or {1: 100}).items():
        made.capacity.add(period=week(ahead), quantity=quantity)
    for key, value in (attributes or {}).items():
        made.attributes[key].CopyFrom(value)
    return made


def line(
    name: str = "part",
    *,
    code: str = MILLING,
    quantity: int = 40,
    least: int = 0,
    limit: int = 200,
    window: tuple[int, int] = (0, 8),
    partners: int = 1,
    share: int = 0,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Line:
    made = Line(
        id=name, capability=code, quantity=quantity, least_quantity=least, limit_price=limit
    )
    made.window.earliest, made.window.latest = week(window[0]), week(window[1])
    made.sourcing.max_partners, made.sourcing.least_share = partners, share
    for key, value in (attributes or {}).items():
        made.attributes[key].CopyFrom(value)
    return made


def demand(name: str, *lines: Line, **changed: object) -> Demand:
    """A demand named "firm/need"; one plain line when none is given."""
    owner, _, short = name.partition("/")
    return Demand(
        name=f"organizations/{owner}/demands/{short}",
        title=f"Demand {short}",
        lines=lines or (line(),),
        state=Demand.STATE_OPEN,
        generation=1,
        **changed,  # type: ignore[arg-type]
    )


def book(
    offers: Iterable[Offer], demands: Iterable[Demand], organizations: Iterable[Organization] = ()
) -> BookSnapshot:
    """A snapshot; organizations not given are made with defaults."""
    offers, demands = tuple(offers), tuple(demands)
    known = {each.name: each for each in organizations}
    for full in [each.name for each in offers] + [each.name for each in demands]:
        name = full.split("/")[1]
        known.setdefault(f"organizations/{name}", organization(name))
    return BookSnapshot(
        CAPABILITIES,
        tuple(known[name] for name in sorted(known)),
        tuple(sorted(offers, key=lambda each: each.name)),
        tuple(sorted(demands, key=lambda each: each.name)),
    )


def random_book(seed: int, offers: int = 6, demands: int = 8) -> BookSnapshot:
    """A small market with splits, bundles, budgets, minimum runs, standards and distances."""
    rng = random.Random(seed)
    firms = [f"f{number}" for number in range(6)]
    organizations = [
        organization(
            firm,
            rng.choice(sorted(SITES)),
            rng.choice("ABCD"),
            rng.sample(["ISO 9001", "IATF 16949"], rng.randint(0, 2)),
        )
        for firm in firms
    ]
    return book(
        [_random_offer(rng, f"{rng.choice(firms)}/o{number}") for number in range(offers)],
        [_random_demand(rng, f"{rng.choice(firms)}/d{number}") for number in range(demands)],
        organizations,
    )


def _random_offer(rng: random.Random, name: str) -> Offer:
    made = offer(
        name,
        code=rng.choice([FIVE_AXIS, MILLING, TURNING, DESIGN]),
        capacity={week: rng.randint(5, 60) for week in rng.sample(range(6), rng.randint(1, 3))},
        price=rng.randint(50, 200),
        setup_price=rng.choice([0, 0, 500]),
        minimum_order=rng.choice([0, 0, 5, 20]),
        minimum_run=rng.choice([0, 0, 0, 40]),
        lead_time_periods=rng.randint(0, 2),
    )
    if rng.random() < 0.2:
        made.reach.regions.append("CN")
    return made


def _random_demand(rng: random.Random, name: str) -> Demand:
    lines = [_random_line(rng, f"l{number}") for number in range(rng.choice([1, 1, 1, 2]))]
    made = demand(name, *lines, bundle=len(lines) > 1 and rng.random() < 0.7)
    if made.bundle and rng.random() < 0.5:
        made.precedences.add(before="l0", after="l1")
    if rng.random() < 0.3:
        made.budget = rng.randint(1000, 8000)
    return made


def _random_line(rng: random.Random, name: str) -> Line:
    quantity = rng.randint(5, 60)
    made = line(
        name,
        code=rng.choice([MILLING, FIVE_AXIS, TURNING, DESIGN]),
        quantity=quantity,
        least=rng.choice([0, 0, quantity // 2]),
        limit=rng.randint(80, 260),
        window=(rng.randint(0, 2), rng.randint(2, 6)),
        partners=rng.choice([1, 1, 2]),
    )
    if rng.random() < 0.2:
        made.requirements.standards.append("ISO 9001")
    if rng.random() < 0.2:
        made.reach.radius_km = rng.choice([200, 2000])
    return made
