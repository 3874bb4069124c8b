"""The contracts with their comments, as the set-up compiled them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from google.protobuf import descriptor_pb2

_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6


@cache
def comments() -> Mapping[str, str]:
    """Return the comment of everything that is declared, by its full name.

    A value of an enum is named within its enum: `spareline.errors.v1.Reason.REASON_NOT_FOUND`.
    """
    stored = resources.files("spareline").joinpath("contracts.binpb").read_bytes()
    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(stored).file:
        if not file.name.startswith("spareline/"):
            continue
        names = dict(_declared(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            if name and location.leading_comments:
                found[name] = " ".join(location.leading_comments.split())
    return found


Path = tuple[int, ...]


def _declared(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    """Yield path (as in SourceCodeInfo) and full name of everything that a file declares."""
    for index, message in enumerate(file.message_type):
        yield from _message((_MESSAGES, index), file.package, message)
    for index, enum in enumerate(file.enum_type):
        yield from _enum((_ENUMS, index), file.package, enum)
    for index, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICES, index), name
        for place, method in enumerate(service.method):
            yield (_SERVICES, index, 2, place), f"{name}.{method.name}"


def _message(
    path: Path, scope: str, message: descriptor_pb2.DescriptorProto
) -> Iterator[tuple[Path, str]]:
    name = f"{scope}.{message.name}"
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _message((*path, 3, index), name, nested)
    for index, enum in enumerate(message.enum_type):
        yield from _enum((*path, 4, index), name, enum)


def _enum(
    path: Path, scope: str, enum: descriptor_pb2.EnumDescriptorProto
) -> Iterator[tuple[Path, str]]:
    name = f"{scope}.{enum.name}"
    yield path, name
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), f"{name}.{value.name}"
