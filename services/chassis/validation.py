"""The field rules that protos declare (protovalidate), as violations that a person can read."""

import protovalidate
from google.protobuf.message import Message

from services.chassis.errors import InvalidArgument, Violation
from spareline.errors.v1 import reason_pb2

MASK = "update_mask"

_validator = protovalidate.Validator()


def violations(message: Message) -> list[Violation]:
    """Return what is wrong with a message by the rules of its proto, in field order."""
    return [_readable(found) for found in _validator.collect_violations(message)]


def require_valid(message: Message) -> None:
    """Raise InvalidArgument (FIELD_INVALID) with one violation per broken rule.

    An update that names its fields in ``update_mask`` (AIP-134) is judged by those alone: who
    changes one field need not send the others.
    """
    found = _within_mask(message, violations(message))
    if found:
        more = "" if len(found) == 1 else f" (and {len(found) - 1} more)"
        raise InvalidArgument(
            reason_pb2.REASON_FIELD_INVALID, found[0].sentence() + more, violations=found
        )


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


def _readable(found: protovalidate.Violation) -> Violation:
    path = _path(found.proto.field)
    label = path or "The request"
    rule, text = found.proto.rule_id, found.proto.message.strip().rstrip(".")
    if rule == "required":
        return Violation(path, f"{label} is missing", f"Give {path or 'it'}")
    if not text:
        return Violation(path, f"{label} is not acceptable", f"See the rule {rule}")
    # The library writes "must be …" or "value must be …"; a rule of ours is a whole sentence.
    for opening in ("value must ", "must "):
        if text.startswith(opening):
            return Violation(path, f"{label} is not acceptable", f"It must {text[len(opening) :]}")
    return Violation(path, f"{label} is not acceptable", text[0].upper() + text[1:])


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
