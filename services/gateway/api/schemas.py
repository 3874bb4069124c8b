"""JSON schemas of the messages (JSON Schema 2020-12, as OpenAPI 3.1 uses it).

Comments become descriptions, and protovalidate's rules become constraints. Fields at their
default are left out of answers, so nothing is required there; only requests require.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from buf.validate import validate_pb2
from services.gateway.api.contracts import comments

Schema = dict[str, Any]

_MATCHES = re.compile(r"^(this == '' \|\| )?this\.matches\('(.*)'\)$")
_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
    "google.protobuf.Any": {"type": "object", "additionalProperties": True},
    "google.protobuf.Empty": {"type": "object"},
}
_F = FieldDescriptor
_WIDE = {_F.TYPE_INT64, _F.TYPE_SINT64, _F.TYPE_SFIXED64, _F.TYPE_UINT64, _F.TYPE_FIXED64}
_NARROW = {_F.TYPE_INT32, _F.TYPE_SINT32, _F.TYPE_SFIXED32, _F.TYPE_UINT32, _F.TYPE_FIXED32}


class Schemas:
    """Collects the schemas of messages and enums, by the names under which they are referred to."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}

    def reference(self, thing: Descriptor | EnumDescriptor) -> Schema:
        """Return a reference to the schema of a message or enum, and see that it is there."""
        if thing.full_name in _KNOWN:
            return dict(_KNOWN[thing.full_name])
        name = component(thing.full_name)
        if name not in self.components:
            self.components[name] = {}  # a message may hold itself
            built = (
                self._enum(thing) if isinstance(thing, EnumDescriptor) else self.message(thing, ())
            )
            self.components[name] = built
        return {"$ref": f"#/components/schemas/{name}"}

    def message(self, message: Descriptor, leave_out: tuple[str, ...]) -> Schema:
        """Return the schema of a message without some of its fields, such as those of the path."""
        fields = [field for field in message.fields if field.name not in leave_out]
        schema: Schema = {
            "type": "object",
            "properties": {field.json_name: self.field(field) for field in fields},
        }
        if message.full_name in comments():
            schema["description"] = comments()[message.full_name]
        required = [f.json_name for f in fields if _needed(f)]
        if required and message.name.endswith(("Request", "Grant")):
            schema["required"] = required
        if len(message.oneofs) == 1 and {f.containing_oneof for f in fields} == {message.oneofs[0]}:
            schema["maxProperties"] = 1
            if message.oneofs[0].GetOptions().Extensions[validate_pb2.oneof].required:
                schema["minProperties"] = 1
        return schema

    def field(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a field, with its description and its rules."""
        rules = _rules(field)
        inside = field.message_type
        if inside is not None and inside.GetOptions().map_entry:
            value = self._single(inside.fields_by_name["value"], rules.map.values)
            schema: Schema = {"type": "object", "additionalProperties": value}
            _count(schema, "Properties", rules.map.min_pairs, rules.map.max_pairs)
        elif field.is_repeated:
            schema = {"type": "array", "items": self._single(field, rules.repeated.items)}
            _count(schema, "Items", rules.repeated.min_items, rules.repeated.max_items)
            if rules.repeated.unique:
                schema["uniqueItems"] = True
        else:
            schema = self._single(field, rules)
        text = comments().get(field.full_name, "")
        text = " ".join([text, *(_sentence(rule.message) for rule in rules.cel if rule.message)])
        if text.strip():
            schema["description"] = text.strip()
        if "Output only." in text:
            schema["readOnly"] = True
        return schema

    def _single(self, field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
        if field.message_type is not None:
            return self.reference(field.message_type)
        if field.enum_type is not None:
            return self.reference(field.enum_type)
        return _scalar(field, rules)

    @staticmethod
    def _enum(enum: EnumDescriptor) -> Schema:
        told = comments()
        lines = [told.get(enum.full_name, "")]
        lines += [
            f"- `{v.name}`: {told.get(f'{enum.full_name}.{v.name}', '')}" for v in enum.values
        ]
        return {
            "type": "string",
            "enum": [value.name for value in enum.values],
            "description": "\n".join(lines).strip(),
        }


def component(full_name: str) -> str:
    """Return the name of a schema: without the package, as no two of ours are alike."""
    parts = full_name.split(".")
    return ".".join(part for part in parts if part[:1].isupper())


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def _needed(field: FieldDescriptor) -> bool:
    rules = _rules(field)
    if rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        return False
    return rules.required or (not field.is_repeated and rules.string.min_len > 0)


def _scalar(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    if field.type == _F.TYPE_BOOL:
        return {"type": "boolean"}
    if field.type in _WIDE:
        # Answers hold a string, as a double would lose digits; requests may hold either.
        schema: Schema = {"type": ["string", "integer"], "format": "int64"}
        schema["pattern"] = "^-?[0-9]{1,19}$"
        return {**schema, **_bounds(field, rules)}
    if field.type in _NARROW:
        return {"type": "integer", "format": "int32", **_bounds(field, rules)}
    if field.type in (_F.TYPE_DOUBLE, _F.TYPE_FLOAT):
        return {"type": "number"}
    if field.type == _F.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return _text(rules)


_RULES_OF = {
    _F.TYPE_INT32: "int32",
    _F.TYPE_INT64: "int64",
    _F.TYPE_SINT64: "sint64",
    _F.TYPE_SINT32: "sint32",
    _F.TYPE_UINT32: "uint32",
    _F.TYPE_UINT64: "uint64",
}
_BOUNDS = {
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}


def _bounds(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    kind: Any = _RULES_OF.get(field.type)
    schema: Schema = {}
    if field.type == _F.TYPE_INT32:
        schema = {"minimum": -(2**31), "maximum": 2**31 - 1}
    if kind is None or not rules.HasField(kind):
        return schema
    numbers = getattr(rules, kind)
    for rule, keyword in _BOUNDS.items():
        if numbers.HasField(rule):
            schema[keyword] = getattr(numbers, rule)
    return schema


def _text(rules: validate_pb2.FieldRules) -> Schema:
    schema: Schema = {"type": "string"}
    text = rules.string
    optional = rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE
    if text.HasField("min_len"):
        schema["minLength"] = text.min_len
    if text.HasField("max_len"):
        schema["maxLength"] = text.max_len
    if text.HasField("pattern"):
        schema["pattern"] = text.pattern
    if getattr(text, "in"):
        schema["enum"] = list(getattr(text, "in"))
    for known in ("email", "uuid"):
        if text.WhichOneof("well_known") == known and not optional:
            schema["format"] = known
    if text.WhichOneof("well_known") == "uuid" and optional:
        schema["anyOf"] = [{"format": "uuid", "minLength": 36}, {"maxLength": 0}]
    for rule in rules.cel:
        found = _MATCHES.match(rule.expression)
        if found:
            pattern = found.group(2).replace("[.]", r"\.")
            schema["pattern"] = f"^$|{pattern}" if found.group(1) else pattern
    return schema


def _count(schema: Schema, of: str, least: int, most: int) -> None:
    if least:
        schema[f"min{of}"] = least
    if most:
        schema[f"max{of}"] = most


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + "."
