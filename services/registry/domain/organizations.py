"""An organization's record: how one begins, what of it can change, who sees what, how it ends."""

import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal

from services.chassis import names
from services.chassis.causes import said
from services.registry.domain import refusals
from services.registry.domain.instants import timestamp
from spareline.errors.v1 import cause_pb2
from spareline.events.v1 import events_pb2
from spareline.market.v1 import disclosure_pb2
from spareline.market.v1.organization_pb2 import Organization

PATTERN = "organizations/{organization}"
OPERATOR = "organizations/operator"

# How a reader stands to an organization, by the best claim between the two.
Relation = Literal["none", "proposal", "confirmed"]

SIGN_UP_KINDS = (
    Organization.KIND_SME,
    Organization.KIND_LAB,
    Organization.KIND_AGENCY,
    Organization.KIND_PLATFORM,
)
MANAGED_KINDS = SIGN_UP_KINDS[:3]

FIRST_GRADE = "C"
_SLUG_LENGTH = 40
# Stands in names of postings for an organization whose identity is hidden; nobody may take it.
UNDISCLOSED_ID = "undisclosed"
RESERVED = frozenset({UNDISCLOSED_ID, "-"})
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is read as another


def slug(display_name: str) -> str:
    """Return an id made from a name's Latin letters and digits; empty when there are too few."""
    plain = unicodedata.normalize("NFKD", display_name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-")
    return made if len(made) > 1 else ""


def candidates(wanted: str, display_name: str, key: str) -> Iterator[str]:
    """Yield ids to try in turn. ``key`` (hexadecimal) is the same for each repeat of a request.

    A reserved id counts as taken.
    """
    if wanted:
        if wanted not in RESERVED:
            yield wanted
        return
    made = slug(display_name)
    if made and made not in RESERVED:
        yield made
    for length in (6, 12, 20):
        yield f"{made or 'org'}-{key[:length]}"


def pseudonym() -> str:
    """Return what stands for a hidden name: random, so that nothing can be guessed from it."""
    return "Partner " + "".join(secrets.choice(_LETTERS) for _ in range(5))


def kind_of(given: Organization, allowed: Sequence[int]) -> "Organization.Kind.ValueType":
    """Return the kind that a new organization gets. Raises InvalidArgument (organization.kind)."""
    kind = given.kind or Organization.KIND_SME
    if kind not in allowed:
        possible = ", ".join(Organization.Kind.Name(each) for each in _known(allowed))
        raise refusals.field_invalid(
            "organization.kind", said(cause_pb2.CAUSE_KIND_CANNOT_JOIN, kinds=possible)
        )
    return kind


def _known(kinds: Sequence[int]) -> list["Organization.Kind.ValueType"]:
    return [kind for kind in Organization.Kind.values() if kind in kinds]


def begin(
    given: Organization, name: str, kind: "Organization.Kind.ValueType", instant_ms: int
) -> Organization:
    """Return the record of an organization that joins; what is output only is set here."""
    made = Organization()
    made.CopyFrom(given)
    made.name = name
    made.kind = kind
    made.verification = Organization.VERIFICATION_UNSPECIFIED
    made.credit_grade = FIRST_GRADE
    made.pseudonym = pseudonym()
    del made.delegates[:]
    made.create_time.CopyFrom(timestamp(instant_ms))
    made.update_time.CopyFrom(timestamp(instant_ms))
    made.generation = 1
    made.etag = ""
    return made


def changed(organization: Organization, instant_ms: int) -> Organization:
    """Return a copy that counts as the next state of the record, to be edited further."""
    following = Organization()
    following.CopyFrom(organization)
    following.generation += 1
    following.update_time.CopyFrom(timestamp(instant_ms))
    return following


def etag(organization: Organization) -> str:
    """Return the etag. By generation: a write that a reader cannot see must not change it."""
    return f'"{organization.generation}"'


def end(organization: Organization, instant_ms: int) -> Organization:
    """Return what is left of an erased organization: its name."""
    return Organization(
        name=organization.name,
        kind=organization.kind,
        display_name="Erased organization",
        generation=organization.generation + 1,
        create_time=organization.create_time,
        update_time=timestamp(instant_ms),
    )


def visible(organization: Organization, relation: Relation) -> tuple[Organization, list[str]]:
    """Return what another party sees, and which fields of it are not public.

    The contact is for partners of a confirmed proposal. A hidden identity takes all that
    would give it away with it: name, text and site.
    """
    seen = Organization()
    seen.CopyFrom(organization)
    del seen.delegates[:]
    disclosed: list[str] = []
    if relation != "confirmed":
        seen.ClearField("contact")
    elif organization.HasField("contact"):
        disclosed.append("contact")
    if _identity_shown(organization.identity_disclosure, relation):
        if organization.identity_disclosure > disclosure_pb2.DISCLOSURE_LEVEL_PUBLIC:
            disclosed.append("display_name")
    else:
        seen.display_name = organization.pseudonym
        for field in ("description", "location", "contact"):
            seen.ClearField(field)
        disclosed = []
    return seen, disclosed


def _identity_shown(level: int, relation: Relation) -> bool:
    if level == disclosure_pb2.DISCLOSURE_LEVEL_ON_PROPOSAL:
        return relation in ("proposal", "confirmed")
    if level == disclosure_pb2.DISCLOSURE_LEVEL_ON_CONFIRMATION:
        return relation == "confirmed"
    return level != disclosure_pb2.DISCLOSURE_LEVEL_NEVER


def registered(organization: Organization) -> events_pb2.OrganizationRegistered:
    """Return the event of joining."""
    return events_pb2.OrganizationRegistered(
        organization=organization, time=organization.update_time
    )


def updated(organization: Organization) -> events_pb2.OrganizationUpdated:
    """Return the event of a change."""
    return events_pb2.OrganizationUpdated(organization=organization, time=organization.update_time)


def erased(organization: Organization) -> events_pb2.OrganizationErased:
    """Return the event of the end."""
    return events_pb2.OrganizationErased(organization=organization, time=organization.update_time)


def require_name(name: str, *, field: str = "name") -> str:
    """Return the name if it is one of an organization. Raises InvalidArgument (field)."""
    names.parse(PATTERN, name, field=field)
    return name
