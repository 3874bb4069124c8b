"""Rules that offers and demands share: capability, attributes, and whom they exclude."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.chassis import names
from services.chassis.causes import Said, said
from services.registry.domain import periods
from services.registry.domain.faults import Fault, under
from services.registry.domain.taxonomy import Role, Taxonomy, Value
from spareline.errors.v1 import cause_pb2, reason_pb2
from spareline.market.v1 import capability_pb2

ORGANIZATION = "organizations/{organization}"


def value_of(message: capability_pb2.AttributeValue) -> Value | None:
    """Return the plain value of an attribute, or None when none is set."""
    kind = message.WhichOneof("value")
    if kind == "codes":
        return list(message.codes.codes)
    if kind == "range":
        return message.range.lowest, message.range.highest
    if kind is None:
        return None
    value: int | bool | str = getattr(message, kind)
    return value


def capability_faults(
    code: str,
    attributes: Mapping[str, Any],
    role: Role,
    taxonomy: Taxonomy,
    root: str,
) -> list[Fault]:
    """Check the capability and the values of its attributes against the taxonomy."""
    if code not in taxonomy:
        return [
            Fault(
                under(root, "capability"),
                _unknown(code, taxonomy),
                reason_pb2.REASON_CAPABILITY_UNKNOWN,
            )
        ]
    values: dict[str, Value] = {}
    faults: list[Fault] = []
    for key, message in attributes.items():
        value = value_of(message)
        if value is None:
            field = under(root, f"attributes[{key}]")
            faults.append(Fault(field, said(cause_pb2.CAUSE_ATTRIBUTE_EMPTY)))
        else:
            values[key] = value
    for problem in taxonomy.validate_attributes(code, values, role):
        key = problem.field.removeprefix("attributes.")
        field = under(root, f"attributes[{key}]")
        faults.append(Fault(field, problem.said, reason_pb2.REASON_ATTRIBUTE_INVALID))
    return faults


def unit_of(code: str, taxonomy: Taxonomy) -> dict[str, str]:
    """Return the parameters that tell a reader the unit of a capability's quantities."""
    found = taxonomy.get(code)
    return {} if found is None else found.unit.parameters()


def retired_faults(codes: Mapping[str, str], taxonomy: Taxonomy, root: str) -> list[Fault]:
    """Find deprecated capabilities, which nothing new may name. ``codes`` go by field."""
    found = {field: taxonomy.get(code) for field, code in codes.items()}
    return [
        Fault(
            under(root, field),
            said(cause_pb2.CAUSE_CAPABILITY_DEPRECATED, code=capability.code),
            reason_pb2.REASON_CAPABILITY_UNKNOWN,
        )
        for field, capability in found.items()
        if capability is not None and capability.deprecated
    ]


def _unknown(code: str, taxonomy: Taxonomy) -> Said:
    words = code.rpartition(".")[2].replace("-", " ").replace("_", " ")
    found = [taxonomy.nearest(code), *(hit.capability.code for hit in taxonomy.search(words)[:2])]
    near = list(dict.fromkeys(each for each in found if each))
    if near:
        return said(cause_pb2.CAUSE_CAPABILITY_MISSPELT, code=code, near=", ".join(near))
    return said(cause_pb2.CAUSE_CAPABILITY_UNKNOWN, code=code)


def organization_faults(listed: Iterable[str], owner: str, field: str) -> list[Fault]:
    """Check a list of other organizations' names."""
    faults = []
    for index, name in enumerate(listed):
        at = f"{field}[{index}]"
        if not names.matches(ORGANIZATION, name):
            faults.append(Fault(at, said(cause_pb2.CAUSE_NOT_AN_ORGANIZATION, name=name)))
        elif name == owner:
            faults.append(Fault(at, said(cause_pb2.CAUSE_ONESELF)))
    return faults


def period_fault(week: str, field: str) -> list[Fault]:
    """Check that a week exists; its form is checked by the proto's own rule."""
    if periods.exists(week):
        return []
    return [Fault(field, said(cause_pb2.CAUSE_NOT_A_WEEK, period=week))]
