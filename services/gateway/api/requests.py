"""From an HTTP request to the message of its RPC: path, query and body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from multidict import MultiMapping

from services.chassis.causes import Said
from services.chassis.errors import InvalidArgument, Violation
from services.gateway.api.bindings import Binding
from spareline.errors.v1 import reason_pb2

# Messages that JSON writes as one string, so that a query parameter can hold them.
_AS_STRING = frozenset(
    {
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "google.protobuf.FieldMask",
    }
)
_BOOLEANS = {"true": True, "false": False}
_UNREADABLE = (json_format.ParseError, ValueError, TypeError, ArithmeticError, RecursionError)


def build(
    binding: Binding, values: Mapping[str, str], query: MultiMapping[str], body: bytes
) -> Message:
    """Return the request message. Raises InvalidArgument naming what does not fit."""
    message = GetMessageClass(binding.method.input_type)()
    if binding.body:
        target = message if binding.body == "*" else getattr(message, binding.body)
        _read_body(binding, target, body)
        if binding.body != "*":
            target.SetInParent()
    _merge(message, _read_query(binding, query), "the query")
    for path, value in values.items():
        _set(message, path, value)
    return message


def _read_body(binding: Binding, target: Message, body: bytes) -> None:
    if not body.strip():
        return
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong("", "the body is not UTF-8", "Send JSON in UTF-8") from None
    if not text.lstrip().startswith("{"):
        raise _wrong("", "the body is not a JSON object", "Send an object: {…}")
    try:
        json_format.Parse(text, target)
    except _UNREADABLE as error:
        prefix = "" if binding.body == "*" else binding.body
        raise _wrong(prefix, _said(error), "See /api for the fields") from None


def _read_query(binding: Binding, query: MultiMapping[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    taken = {variable.field for variable in binding.variables} | {binding.body}
    for key in dict.fromkeys(query):
        texts = query.getall(key)
        if binding.body == "*":
            raise _wrong(key, "is no parameter of this address", "Put it into the body")
        _place(binding.method.input_type, key, texts, taken, found)
    return found


def _place(
    message: Descriptor, key: str, texts: list[str], taken: set[str], into: dict[str, Any]
) -> None:
    names: list[str] = []
    field: FieldDescriptor | None = None
    inside: Descriptor | None = message
    for part in key.split("."):
        field = _field(inside, part)
        if field is None:
            raise _wrong(key, "is no parameter of this address", "See /api for those there are")
        names.append(field.name)
        inside = field.message_type
    if field is None or names[0] in taken or ".".join(names) in taken:
        raise _wrong(key, "is given by the path or the body", "Leave it out of the query")
    for name in names[:-1]:
        into = into.setdefault(name, {})
    into[names[-1]] = _value(key, field, texts)


def _field(message: Descriptor | None, name: str) -> FieldDescriptor | None:
    if message is None or message.full_name in _AS_STRING or message.GetOptions().map_entry:
        return None
    for field in message.fields:
        if name in (field.name, field.json_name):
            return field
    return None


def _value(key: str, field: FieldDescriptor, texts: list[str]) -> Any:
    if field.message_type is not None and field.message_type.full_name not in _AS_STRING:
        raise _wrong(key, "is a message", f"Name its fields: {key}.…")
    if field.is_repeated:
        return [_scalar(key, field, text) for text in texts]
    if len(texts) > 1:
        raise _wrong(key, "is given more than once", "Give it once")
    return _scalar(key, field, texts[0])


def _scalar(key: str, field: FieldDescriptor, text: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        if text not in _BOOLEANS:
            raise _wrong(key, "is neither true nor false", "Write true or false")
        return _BOOLEANS[text]
    if field.message_type is not None and field.message_type.name == "FieldMask":
        return _camel(text)
    return text


def _merge(message: Message, values: dict[str, Any], where: str) -> None:
    if not values:
        return
    try:
        json_format.ParseDict(values, message)
    except _UNREADABLE as error:
        raise _wrong("", f"{where}: {_said(error)}", "See /api for the parameters") from None


def _set(message: Message, dotted: str, value: str) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        message = getattr(message, part)
    try:
        setattr(message, last, value)
    except _UNREADABLE as error:
        raise _wrong(dotted, _said(error), "Correct the address") from None


def _camel(path: str) -> str:
    """Field masks in JSON are in camel case; the proto's own names are taken as well."""
    return re.sub(r"_([a-z0-9])", lambda found: found.group(1).upper(), path)


def _said(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeError):
        return "holds a character that is none"
    return str(error).rstrip(".")


def _wrong(field: str, description: str, mend: str) -> InvalidArgument:
    violation = Violation(field, Said(description, mend))
    return InvalidArgument(
        reason_pb2.REASON_FIELD_INVALID,
        f"{field} {description}".strip(),
        violations=[violation],
    )
