"""The OpenAPI 3.1 document of the JSON API, made from the contracts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor

from services.gateway.api import problems, streams
from services.gateway.api.bindings import PREFIX, Binding, open_path, segments, table
from services.gateway.api.contracts import comments
from services.gateway.api.schemas import Schema, Schemas
from services.gateway.middleware.failures import STATUS
from spareline.errors.v1 import reason_pb2
from spareline.options.v1 import options_pb2

_LONGEST_QUERY_DEPTH = 2
_ID = "^[^/:?#]+$"
_INTRODUCTION = (
    "Every method of the gRPC API that firms may call. Fields at their default (0, false, empty) "
    "are left out of answers, and what is hidden from the reader is left out, too. 64-bit "
    "integers are strings in answers. Quantities are whole ticks, money is whole minor units, "
    "periods are ISO weeks. Get a token with an API key from POST /v1/tokens:issue and send it "
    "as a bearer token; it lives 15 minutes."
)


@cache
def document() -> dict[str, Any]:
    """Return the document. It is the same as long as the process runs: leave it as it is."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for binding in table().bindings:
        operations = paths.setdefault(open_path(binding), {})
        operations[binding.verb.lower()] = _operation(binding, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Spareline", "version": "1", "description": _INTRODUCTION},
        "servers": [{"url": PREFIX}],
        "security": [{"bearer": []}],
        "tags": _tags(),
        "paths": paths,
        "components": {
            "schemas": {**dict(sorted(schemas.components.items())), "Problem": _problem()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "responses": {
                "Problem": {
                    "description": "Refused; `reason` says why and stays the same for ever.",
                    "content": {
                        problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                }
            },
        },
    }


def _tags() -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for binding in table().bindings:
        service = binding.method.containing_service
        found[service.name] = comments().get(service.full_name, "")
    return [{"name": name, "description": text} for name, text in found.items()]


def _operation(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    method = binding.method
    told = comments().get(method.full_name, "")
    operation: dict[str, Any] = {
        "operationId": _operation_id(binding),
        "tags": [method.containing_service.name],
        "summary": re.split(r"(?<=[.;])\s", told, maxsplit=1)[0].rstrip(".;"),
        "description": f"{told} {_access(method)}".strip(),
        "parameters": [*_path(binding), *_query(binding, schemas), *_headers(binding)],
        "responses": _responses(binding, schemas),
    }
    if binding.body:
        operation["requestBody"] = {
            "content": {"application/json": {"schema": _body(binding, schemas)}}
        }
    if _rule(method).public:
        operation["security"] = []
    return operation


def _operation_id(binding: Binding) -> str:
    first = next(b for b in table().bindings if b.method is binding.method)
    if first is binding:
        return str(binding.method.name)
    plain = re.sub(r"\{[^}]*\}", "", open_path(binding)).strip("/").split("/")
    return f"{binding.method.name}_{[p for p in plain if p not in ('', 'v1')][-2:][0]}"


def _rule(method: MethodDescriptor) -> options_pb2.Access:
    rule: options_pb2.Access = method.GetOptions().Extensions[options_pb2.access]
    return rule


def _access(method: MethodDescriptor) -> str:
    rule = _rule(method)
    if rule.public:
        return "Needs no token."
    who = ", ".join(rule.roles) or "anyone signed in"
    return f"For: {who}." + (' The token needs the scope "write".' if rule.write else "")


def _path(binding: Binding) -> Iterator[dict[str, Any]]:
    for field, pattern in segments(binding).items():
        for name in re.findall(r"\{(\w+)\}", pattern):
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"Part of `{field}`: {pattern}.",
                "schema": {"type": "string", "minLength": 1, "pattern": _ID},
            }


def _query(binding: Binding, schemas: Schemas) -> Iterator[dict[str, Any]]:
    if binding.body == "*":
        return
    taken = {variable.field for variable in binding.variables} | {binding.body}
    yield from _parameters(binding.method.input_type, "", taken, schemas, _LONGEST_QUERY_DEPTH)


def _parameters(
    message: Descriptor, prefix: str, taken: set[str], schemas: Schemas, depth: int
) -> Iterator[dict[str, Any]]:
    for field in message.fields:
        if f"{prefix}{field.name}" in taken:
            continue
        schema = schemas.field(field)
        if "$ref" in schema and field.message_type is not None:
            if depth > 1 and not field.is_repeated:
                inside = f"{prefix}{field.json_name}."
                yield from _parameters(field.message_type, inside, taken, schemas, depth - 1)
            continue
        description = schema.pop("description", "")
        yield {
            "name": f"{prefix}{field.json_name}",
            "in": "query",
            "description": description,
            "schema": _of_query(schema),
        }


def _of_query(schema: Schema) -> Schema:
    """In an address every number is digits, so the union with strings says nothing."""
    if isinstance(schema.get("type"), list):
        return {**{k: v for k, v in schema.items() if k != "pattern"}, "type": "integer"}
    return schema


def _headers(binding: Binding) -> Iterator[dict[str, Any]]:
    if "request_id" in binding.method.input_type.fields_by_name:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A UUID of yours, in place of requestId: a repeat with the same one "
            "returns the first answer.",
            "schema": {"type": "string", "format": "uuid"},
        }


def _body(binding: Binding, schemas: Schemas) -> Schema:
    message = binding.method.input_type
    if binding.body == "*":
        return schemas.message(message, tuple(v.field for v in binding.variables))
    return schemas.field(message.fields_by_name[binding.body])


def _responses(binding: Binding, schemas: Schemas) -> dict[str, Any]:
    answer = schemas.reference(binding.method.output_type)
    media: dict[str, Any] = {"application/json": {"schema": answer}}
    if binding.method.server_streaming:
        media = {
            streams.LINES: {"schema": {"type": "string"}},
            streams.EVENTS: {"schema": {"type": "string"}},
        }
    done: dict[str, Any] = {"description": "Done.", "content": media}
    if "etag" in binding.method.output_type.fields_by_name:
        done["headers"] = {
            "ETag": {
                "description": "Send it back as If-Match to detect a lost update.",
                "schema": {"type": "string"},
            }
        }
    found = {"200": done}
    codes = sorted({400, 404, 405, 412, 413, 500} | set(STATUS.values()))
    found.update({str(code): {"$ref": "#/components/responses/Problem"} for code in codes})
    return found


def _problem() -> Schema:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "Problem details, RFC 9457.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {**text, "description": "Where the reason is explained."},
            "title": {**text, "description": "What the reason means."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {**text, "description": "What is wrong this time."},
            "reason": {
                "type": "string",
                "enum": [value.name for value in reason_pb2.Reason.DESCRIPTOR.values],
                "description": "A permanent word for programs.",
            },
            "requestId": {**text, "description": "Finds the request in the logs."},
            "metadata": {"type": "object", "additionalProperties": text},
            **_cause(text),
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "field": {**text, "description": "Path of the field."},
                        "description": {**text, "description": "What is wrong, what to change."},
                        **_cause(text),
                    },
                },
            },
        },
    }


def _cause(text: dict[str, Any]) -> dict[str, Any]:
    return {
        "cause": {**text, "description": "Which sentence it is: a name from cause.proto."},
        "parameters": {
            "type": "object",
            "additionalProperties": text,
            "description": "What the sentence names.",
        },
    }
