"""The field rules that protos declare (protovalidate), as violations that a person can read."""

from typing import Any

import protovalidate
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from buf.validate import validate_pb2
from services.chassis import causes
from services.chassis.errors import Violation, invalid
from spareline.errors.v1 import cause_pb2

MASK = "update_mask"
_BOUNDS = {
    "min_len": "least",
    "gte": "least",
    "max_len": "most",
    "lte": "most",
    "max_items": "most",
    "max_pairs": "most",
    "lt": "bound",
    "in": "choices",
}

_validator = protovalidate.Validator()


def violations(message: Message) -> list[Violation]:
    """Return what is wrong with a message by the rules of its proto, in field order."""
    return [_readable(message, found) for found in _validator.collect_violations(message)]


def require_valid(message: Message) -> None:
    """Raise InvalidArgument (FIELD_INVALID) with one violation per broken rule.

    An update that names its fields in ``update_mask`` (AIP-134) is judged by those alone: who
    changes one field need not send the others.
    """
    found = _within_mask(message, violations(message))
    if found:
        raise invalid(*found)


def _within_mask(message: Message, found: list[Violation]) -> list[Violation]:
    fields = message.DESCRIPTOR.fields_by_name
    mask: list[str] = list(getattr(message, MASK).paths) if MASK in fields else []
    if not found or not mask or "*" in mask:
        return found
    resources = [
        field.name
        for field in message.DESCRIPTOR.fields
        if field.message_type is not None and field.name != MASK
    ]
    judged = [f"{resource}.{path}" for resource in resources for path in (*mask, "name")]

    def counts(path: str) -> bool:
        if not any(path.startswith(f"{resource}.") for resource in resources):
            return True
        return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in judged)

    return [violation for violation in found if counts(violation.field)]


def _readable(message: Message, found: protovalidate.Violation) -> Violation:
    rule = found.proto.rule_id
    cause, parameters = causes.by_rule().get(rule, (cause_pb2.CAUSE_RULE_BROKEN, {"rule": rule}))
    parameters = {**parameters, **_bounds(message, found)}
    if cause == cause_pb2.CAUSE_TOO_SHORT and parameters["least"] == "1":
        cause = cause_pb2.CAUSE_MISSING
    return Violation(_path(found.proto.field), causes.of(cause, parameters))


def _bounds(message: Message, found: protovalidate.Violation) -> dict[str, str]:
    """Return what the broken rule names: the bounds of its field, or the values that are possible.

    protovalidate reports one bound only where two make one rule.
    """
    rules = _rules(message, found)
    return {
        name: ", ".join(each or '""' for each in value) if name == "choices" else _text(value)
        for field, value in ([] if rules is None else rules.ListFields())
        if (name := _BOUNDS.get(field.name))
    }


def _rules(message: Message, found: protovalidate.Violation) -> Message | None:
    """Return the rules of the kind of value that the broken one stands among: StringRules, say."""
    at: Any = message.DESCRIPTOR
    declared: Any = None
    for element in found.proto.field.elements if found.proto.field else ():
        field = at.fields_by_name.get(element.field_name)
        if field is None:
            return None  # a oneof
        declared, at = field.GetOptions().Extensions[validate_pb2.field], field.message_type
        if at is not None and at.GetOptions().map_entry:
            at = at.fields_by_name["value"].message_type
    for step in found.proto.rule.elements[:-1] if declared and found.proto.rule else ():
        declared = getattr(declared, step.field_name)
    return declared if isinstance(declared, Message) else None


def _text(value: Any) -> str:
    return f"{value.ToSeconds()}" if isinstance(value, Duration) else str(value)


def _path(field: protovalidate.FieldPathPb | None) -> str:
    if field is None:
        return ""
    parts = []
    for element in field.elements:
        part = element.field_name
        subscript = element.subscript
        if subscript is not None:
            value = subscript.value
            part += f'["{value}"]' if isinstance(value, str) else f"[{value}]"
        parts.append(part)
    return ".".join(parts)
