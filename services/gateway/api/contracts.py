"""The contracts with their comments, as the set-up compiled them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6


@cache
def _stored() -> descriptor_pb2.FileDescriptorSet:
    stored = resources.files("spareline").joinpath("contracts.binpb").read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(stored)


def service_files() -> list[FileDescriptor]:
    """Return the descriptors of all contracts of ours that declare services."""
    names = [file.name for file in _stored().file if file.service]
    modules = [
        importlib.import_module(name.replace("/", ".").removesuffix(".proto") + "_pb2")
        for name in names
        if name.startswith("spareline/")
    ]
    return [module.DESCRIPTOR for module in modules]


@cache
def comments() -> Mapping[str, str]:
    """Return the comment of everything that is declared, by its full name.

    A value of an enum is named within its enum: `spareline.errors.v1.Reason.REASON_NOT_FOUND`.
    """
    found: dict[str, str] = {}
    for file in _stored().file:
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
