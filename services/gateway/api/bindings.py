"""Which HTTP request stands for which RPC: the google.api.http options of the contracts.

The path syntax is that of google/api/http.proto: `/v1/{name=organizations/*/offers/*}:withdraw`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

from services.gateway.api.contracts import service_files

PREFIX = "/api"
"""What stands before the paths of the contracts."""

_VARIABLE = re.compile(r"\{([a-z0-9_.]+)(?:=([^{}]+))?\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of a path that goes into a field of the request: its dotted path and its pattern."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP verb and path of one RPC.

    `body` is empty (no body), "*" (the whole request) or the field of the request that it holds.
    """

    method: MethodDescriptor
    verb: str
    template: str
    body: str
    variables: tuple[Variable, ...]
    regex: re.Pattern[str]

    @property
    def path(self) -> str:
        """The path under which gRPC knows the RPC."""
        service = self.method.containing_service.full_name
        return f"/{service}/{self.method.name}"

    def match(self, raw_path: str) -> dict[str, str] | None:
        """Return the values of the path's variables, decoded; None when it does not fit."""
        found = self.regex.fullmatch(raw_path)
        if found is None:
            return None
        values = (unquote(text) for text in found.groups())
        return {variable.field: value for variable, value in zip(self.variables, values)}  # noqa: B905


class Table:
    """All bindings, found by verb and path."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self.bindings = tuple(bindings)
        self._by_verb: dict[str, list[Binding]] = {}
        for binding in self.bindings:
            self._by_verb.setdefault(binding.verb, []).append(binding)

    def find(self, verb: str, raw_path: str) -> tuple[Binding, dict[str, str]] | None:
        """Return the binding of a request and its variables, or None."""
        for binding in self._by_verb.get(verb, ()):
            values = binding.match(raw_path)
            if values is not None:
                return binding, values
        return None

    def verbs(self, raw_path: str) -> list[str]:
        """Return the verbs that a path has, for the Allow header."""
        return [verb for verb in self._by_verb if self.find(verb, raw_path)]


@cache
def table() -> Table:
    """Return the bindings of all services."""
    services = [s for file in service_files() for s in file.services_by_name.values()]
    return Table(bindings_of(services))


def bindings_of(services: Sequence[ServiceDescriptor]) -> Iterator[Binding]:
    """Read the bindings of services. Raises ValueError naming an option that makes no sense."""
    for service in services:
        for method in service.methods:
            options = method.GetOptions()
            if not options.HasExtension(annotations_pb2.http):
                continue
            rule = options.Extensions[annotations_pb2.http]
            for each in (rule, *rule.additional_bindings):
                yield _binding(method, each)


def _binding(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding:
    verb = rule.WhichOneof("pattern")
    if verb in (None, "custom"):
        raise ValueError(f"{method.full_name}: name one of get, put, post, delete, patch")
    template = getattr(rule, verb)
    variables = tuple(
        Variable(field, pattern or "*") for field, pattern in _VARIABLE.findall(template)
    )
    for variable in variables:
        field_at(method.input_type, variable.field)
    if rule.body not in ("", "*"):
        field_at(method.input_type, rule.body)
    regex = re.compile("".join(_pieces(template)))
    return Binding(method, verb.upper(), template, rule.body, variables, regex)


def _pieces(template: str) -> Iterator[str]:
    position = 0
    for found in _VARIABLE.finditer(template):
        yield re.escape(template[position : found.start()])
        yield f"({_pattern(found.group(2) or '*')})"
        position = found.end()
    yield re.escape(template[position:])


def _pattern(text: str) -> str:
    # A colon begins the custom verb, so no segment holds one unless it is encoded.
    return "/".join("[^/:]+" if part == "*" else re.escape(part) for part in text.split("/"))


def field_at(message: Descriptor, dotted: str) -> None:
    """Check that a message has a field. Raises ValueError."""
    inside: Descriptor | None = message
    for part in dotted.split("."):
        field = inside.fields_by_name.get(part) if inside is not None else None
        if field is None:
            raise ValueError(f"{message.full_name} has no field {dotted}")
        inside = field.message_type


def segments(binding: Binding) -> Mapping[str, str]:
    """Return, by variable, its pattern with each `*` as a named parameter.

    `organizations/*/offers/*` becomes `organizations/{organization}/offers/{offer}`.
    """
    return {variable.field: _named(variable.pattern) for variable in binding.variables}


def _named(pattern: str) -> str:
    parts = pattern.split("/")
    named = list(parts)
    for index, part in enumerate(parts):
        if part == "*":
            named[index] = "{" + (_singular(parts[index - 1]) if index else "id") + "}"
    return "/".join(named)


def _singular(plural: str) -> str:
    return plural[:-3] + "y" if plural.endswith("ies") else plural.removesuffix("s")


def open_path(binding: Binding) -> str:
    """Return the path as OpenAPI writes it, with one parameter for each part of a name."""
    named = segments(binding)
    return _VARIABLE.sub(lambda found: named[found.group(1)], binding.template)
