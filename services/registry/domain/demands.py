"""The rules of a demand that go beyond its proto's field rules."""

from services.chassis.causes import said
from services.registry.domain import periods
from services.registry.domain.faults import Fault, under
from services.registry.domain.taxonomy import Taxonomy
from services.registry.domain.terms import (
    capability_faults,
    organization_faults,
    period_fault,
    unit_of,
)
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.demand_pb2 import Demand, Line

OUTPUT_ONLY = ("state", "balances", "create_time", "update_time", "generation", "etag")
CHANGEABLE = (
    "title",
    "description",
    "lines",
    "bundle",
    "precedences",
    "budget",
    "preferred_organizations",
    "excluded_organizations",
    "priority_class",
    "disclosure",
)


def faults(demand: Demand, owner: str, taxonomy: Taxonomy, root: str = "demand") -> list[Fault]:
    """Return all that is wrong with a demand of the organization ``owner``.

    ``root`` is the path of the demand in the request; empty in an import.
    """
    found: list[Fault] = []
    for index, line in enumerate(demand.lines):
        found += _line_faults(line, owner, taxonomy, under(root, f"lines[{index}]"))
    for name in ("preferred_organizations", "excluded_organizations"):
        found += organization_faults(getattr(demand, name), owner, under(root, name))
    for index, each in enumerate(demand.preferred_organizations):
        if each in demand.excluded_organizations:
            found.append(
                Fault(
                    under(root, f"preferred_organizations[{index}]"),
                    said(cause_pb2.CAUSE_PREFERRED_AND_EXCLUDED, name=each),
                )
            )
    return found + _precedence_faults(demand, root)


def limits(demand: Demand) -> dict[str, int]:
    """Return the quantity asked by line, in ticks."""
    return {line.id: line.quantity for line in demand.lines}


def _line_faults(line: Line, owner: str, taxonomy: Taxonomy, root: str) -> list[Fault]:
    found = capability_faults(line.capability, line.attributes, "demand", taxonomy, root)
    found += period_fault(line.window.earliest, under(root, "window.earliest"))
    found += period_fault(line.window.latest, under(root, "window.latest"))
    found += _sourcing_faults(line, taxonomy, root)
    found += organization_faults(
        line.requirements.excluded_organizations,
        owner,
        under(root, "requirements.excluded_organizations"),
    )
    return found


def _sourcing_faults(line: Line, taxonomy: Taxonomy, root: str) -> list[Fault]:
    unit = unit_of(line.capability, taxonomy)
    share, partners = line.sourcing.least_share, max(line.sourcing.max_partners, 1)
    if share > line.quantity:
        return [
            Fault(
                under(root, "sourcing.least_share"),
                said(cause_pb2.CAUSE_SHARE_ABOVE_QUANTITY, quantity=line.quantity, **unit),
            )
        ]
    if partners * share > line.quantity:
        return [
            Fault(
                under(root, "sourcing.max_partners"),
                said(
                    cause_pb2.CAUSE_SHARES_DO_NOT_FIT,
                    partners=partners,
                    share=share,
                    quantity=line.quantity,
                    most_partners=line.quantity // share,
                    most_share=line.quantity // partners,
                    **unit,
                ),
            )
        ]
    return []


def _precedence_faults(demand: Demand, root: str) -> list[Fault]:
    lines = {line.id: line for line in demand.lines}
    found: list[Fault] = []
    followers: dict[str, set[str]] = {}
    for index, pair in enumerate(demand.precedences):
        at = under(root, f"precedences[{index}]")
        unknown = [side for side in ("before", "after") if getattr(pair, side) not in lines]
        for side in unknown:
            found.append(
                Fault(
                    f"{at}.{side}",
                    said(
                        cause_pb2.CAUSE_LINE_UNKNOWN,
                        line=getattr(pair, side),
                        lines=", ".join(lines),
                    ),
                )
            )
        if unknown:
            continue
        followers.setdefault(pair.before, set()).add(pair.after)
        found += _sequence_faults(lines[pair.before], lines[pair.after], at)
    if cycle := _cycle(followers):
        found.append(
            Fault(
                under(root, "precedences"),
                said(cause_pb2.CAUSE_LINES_WAIT_FOR_EACH_OTHER, lines=" → ".join(cycle)),
            )
        )
    return found


def _sequence_faults(before: Line, after: Line, at: str) -> list[Fault]:
    """Check that the later line can start after the earlier one has ended."""
    if before.id == after.id or not (
        periods.exists(before.window.earliest) and periods.exists(after.window.latest)
    ):
        return []
    if periods.ordinal(after.window.latest) > periods.ordinal(before.window.earliest):
        return []
    return [
        Fault(
            f"{at}.after",
            said(
                cause_pb2.CAUSE_SEQUENCE_IMPOSSIBLE,
                after=after.id,
                latest=after.window.latest,
                before=before.id,
                earliest=before.window.earliest,
            ),
        )
    ]


def _cycle(followers: dict[str, set[str]]) -> list[str]:
    """Return lines that wait for each other in a ring, the first repeated at the end."""
    done: set[str] = set()

    def visit(line: str, path: list[str]) -> list[str]:
        if line in path:
            return [*path[path.index(line) :], line]
        if line in done:
            return []
        for follower in sorted(followers.get(line, ())):
            if found := visit(follower, [*path, line]):
                return found
        done.add(line)
        return []

    for start in sorted(followers):
        if found := visit(start, []):
            return found
    return []
