"""Every kind of error goes to gRPC and comes back as itself; strangers become no detail."""

import grpc
import pytest
from pymongo.errors import AutoReconnect

from services.chassis import errors, faults, grpc_errors
from services.chassis.causes import Said
from services.chassis.validation import violations
from spareline.errors.v1 import reason_pb2
from spareline.registry.v1 import registry_service_pb2

KINDS = errors.DomainError.__subclasses__()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_makes_the_round_trip(kind: type[errors.DomainError]) -> None:
    error = kind(
        reason_pb2.REASON_CONFLICT,
        "what happened",
        violations=[errors.Violation("a.b", Said("It is wrong.", "Do so."))],
        metadata={"k": "v"},
    )
    status = grpc_errors.to_status(error)
    wire = grpc.aio.AioRpcError(
        status.code,
        trailing_metadata=grpc.aio.Metadata(*status.trailing_metadata),
        details=status.message,
    )
    back = grpc_errors.from_rpc_error(wire)
    assert type(back) is kind
    assert (back.reason, back.message, back.metadata) == (
        reason_pb2.REASON_CONFLICT,
        "what happened",
        {"k": "v"},
    )
    assert [(v.field, v.description) for v in back.violations] == [("a.b", "It is wrong. Do so")]


def test_a_status_without_our_details_keeps_its_kind() -> None:
    wire = grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, details="too late")
    back = grpc_errors.from_rpc_error(wire)
    assert isinstance(back, errors.Unavailable)
    assert back.reason == reason_pb2.REASON_UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AutoReconnect("store:27017 gone"), errors.Unavailable),
        (TimeoutError("late"), errors.Unavailable),
        (grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, details="x"), errors.Unavailable),
        (grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, details="x"), errors.Internal),
        (KeyError("private"), errors.Internal),
    ],
)
def test_a_strangers_text_never_reaches_the_caller(
    error: Exception, kind: type[errors.DomainError]
) -> None:
    told = faults.as_domain_error(error)
    assert type(told) is kind
    assert str(error) not in told.message


def test_violations_of_real_contracts_read_well() -> None:
    found = violations(registry_service_pb2.CreateOfferRequest(request_id="no uuid"))
    said = {violation.field: violation.sentence() for violation in found}
    assert "request_id" in said
    for sentence in said.values():
        assert sentence in (
            "It is no UUID. Give a UUID, or leave it out",
            "It is missing. Fill it in",
        )
