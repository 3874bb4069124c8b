"""A service of its own for tests of the chassis: all four shapes of RPC, each kind of rule.

Its descriptor is built here rather than in protos/, where only the market's contracts live.
"""

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from buf.validate import validate_pb2
from spareline.options.v1 import options_pb2

PACKAGE = "spareline.probe.v1"
SERVICE = f"{PACKAGE}.ProbeService"

_Field = descriptor_pb2.FieldDescriptorProto

# name: (streams requests, streams responses, access rule or None)
METHODS: Mapping[str, tuple[bool, bool, options_pb2.Access | None]] = {
    "Open": (False, False, options_pb2.Access(public=True)),
    "Mine": (
        False,
        False,
        options_pb2.Access(roles=["owner", "operator"], organization_field="organization"),
    ),
    "Change": (
        False,
        False,
        options_pb2.Access(roles=["owner"], organization_field="organization", write=True),
    ),
    "Anyone": (False, False, options_pb2.Access()),
    "Count": (False, True, options_pb2.Access(public=True)),
    "Sum": (True, False, options_pb2.Access(organization_field="organization")),
    "Echo": (True, True, options_pb2.Access(public=True)),
}


def _file(
    package: str, methods: Mapping[str, tuple[bool, bool, options_pb2.Access | None]]
) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package.replace('.', '/')}/probe.proto",
        package=package,
        syntax="proto3",
        dependency=["buf/validate/validate.proto", "spareline/options/v1/options.proto"],
    )
    probe = file.message_type.add(name="Probe")
    number = probe.field.add(
        name="number", number=1, type=_Field.TYPE_INT64, label=_Field.LABEL_OPTIONAL
    )
    number.options.Extensions[validate_pb2.field].int64.gte = 0
    for index, name in enumerate(("organization", "text"), start=2):
        probe.field.add(
            name=name, number=index, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL
        )
    service = file.service.add(name="ProbeService")
    for name, (request_streams, response_streams, rule) in methods.items():
        method = service.method.add(
            name=name,
            input_type=f".{package}.Probe",
            output_type=f".{package}.Probe",
            client_streaming=request_streams,
            server_streaming=response_streams,
        )
        if rule is not None:
            method.options.Extensions[options_pb2.access].CopyFrom(rule)
    return file


def service_descriptor(
    package: str, methods: Mapping[str, tuple[bool, bool, options_pb2.Access | None]]
) -> Any:
    """Return the descriptor of a probe service with other methods."""
    pool: Any = descriptor_pool.Default()
    file = _file(package, methods)
    pool.Add(file)
    return pool.FindServiceByName(f"{package}.ProbeService")


DESCRIPTOR = service_descriptor(PACKAGE, METHODS)
Probe: Any = message_factory.GetMessageClass(DESCRIPTOR.methods[0].input_type)

_SHAPES = {
    (False, False): "unary_unary",
    (False, True): "unary_stream",
    (True, False): "stream_unary",
    (True, True): "stream_stream",
}


def add_to_server(servicer: Any, server: Any) -> None:
    """Register a servicer, as generated code does."""
    handlers = {}
    for name, (request_streams, response_streams, _) in METHODS.items():
        shape = _SHAPES[request_streams, response_streams]
        make = getattr(grpc, f"{shape}_rpc_method_handler")
        handlers[name] = make(
            getattr(servicer, name),
            request_deserializer=Probe.FromString,
            response_serializer=Probe.SerializeToString,
        )
    generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
    server.add_generic_rpc_handlers((generic,))


class Stub:
    """Calls the service, as a generated stub does."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        for name, (request_streams, response_streams, _) in METHODS.items():
            shape = _SHAPES[request_streams, response_streams]
            call = getattr(channel, shape)(
                f"/{SERVICE}/{name}",
                request_serializer=Probe.SerializeToString,
                response_deserializer=Probe.FromString,
            )
            setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
