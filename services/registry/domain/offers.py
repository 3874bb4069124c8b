"""The rules of an offer that go beyond its proto's field rules."""

from services.chassis.causes import said
from services.registry.domain.faults import Fault, under
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.terms import (
    capability_faults,
    organization_faults,
    period_fault,
    unit_of,
)
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.offer_pb2 import Offer

OUTPUT_ONLY = ("state", "balances", "create_time", "update_time", "generation", "etag")
CHANGEABLE = (
    "capability",
    "title",
    "description",
    "attributes",
    "capacity",
    "unit_price",
    "setup_price",
    "minimum_order",
    "minimum_run",
    "lead_time_periods",
    "reach",
    "requirements",
    "disclosure",
)


def faults(offer: Offer, owner: str, taxonomy: Taxonomy, root: str = "offer") -> list[Fault]:
    """Return all that is wrong with an offer of the organization ``owner``.

    ``root`` is the path of the offer in the request; empty in an import, whose items stand
    for themselves.
    """
    found = capability_faults(offer.capability, offer.attributes, "offer", taxonomy, root)
    found += _capacity_faults(offer, taxonomy, root)
    found += organization_faults(
        offer.requirements.excluded_organizations,
        owner,
        under(root, "requirements.excluded_organizations"),
    )
    return found


def limits(offer: Offer) -> dict[str, int]:
    """Return the capacity by period, in ticks."""
    return {each.period: each.quantity for each in offer.capacity}


def _capacity_faults(offer: Offer, taxonomy: Taxonomy, root: str) -> list[Fault]:
    found: list[Fault] = []
    seen: set[str] = set()
    for index, each in enumerate(offer.capacity):
        field = under(root, f"capacity[{index}].period")
        found += period_fault(each.period, field)
        if each.period in seen:
            found.append(Fault(field, said(cause_pb2.CAUSE_PERIOD_TWICE, period=each.period)))
        seen.add(each.period)
    total = sum(each.quantity for each in offer.capacity)
    if total == 0:
        found.append(
            Fault(
                under(root, "capacity"),
                said(cause_pb2.CAUSE_NO_CAPACITY),
            )
        )
    # One line may draw on several periods, so what bounds an order is the whole capacity.
    for name in ("minimum_order", "minimum_run"):
        wanted = getattr(offer, name)
        if wanted > total:
            found.append(
                Fault(
                    under(root, name),
                    said(
                        cause_pb2.CAUSE_ABOVE_CAPACITY,
                        most=total,
                        **unit_of(offer.capability, taxonomy),
                    ),
                )
            )
    return found
