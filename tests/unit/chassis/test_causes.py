"""What refusals say: every cause and every field rule has words, and no service has words alone."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from buf.validate import validate_pb2
from services.chassis import causes, validation
from services.chassis.causes import said
from services.chassis.errors import Violation, invalid
from services.chassis.grpc_errors import from_rpc_error, to_status
from spareline.errors.v1 import cause_pb2
from spareline.market.v1.demand_pb2 import Demand, Line
from spareline.market.v1.offer_pb2 import Offer
from spareline.matching.v1.matching_service_pb2 import DeclineProposalRequest
from spareline.registry.v1.identity_service_pb2 import SignUpRequest

ROOT = Path(__file__).resolve().parents[3]
# Refusals by what takes their words, and where among the arguments these stand.
_TAKES = {
    **dict.fromkeys(("Violation", "Fault", "Problem", "field_invalid"), 1),
    **dict.fromkeys(("NotFound", "AlreadyExists", "FailedPrecondition", "Aborted"), 1),
    **dict.fromkeys(("PermissionDenied", "Unauthenticated", "Unavailable"), 1),
    **dict.fromkeys(("ResourceExhausted", "InvalidArgument", "Internal"), 1),
    **dict.fromkeys(("forbidden", "role_missing"), 0),
}


def test_every_cause_says_what_is_wrong() -> None:
    for value in cause_pb2.Cause.DESCRIPTOR.values[1:]:
        assert causes.wording(value.number).what, value.name


def _rules() -> Iterator[str]:
    """Yield the id of every field rule of the contracts, as protovalidate reports it."""
    for path in (ROOT / "protos" / "spareline").rglob("*.proto"):
        name = str(path.relative_to(ROOT / "protos").with_suffix("")).replace("/", ".")
        module = importlib.import_module(f"{name}_pb2")
        for message in module.DESCRIPTOR.message_types_by_name.values():
            yield from _of_message(message)


def _of_message(message: Descriptor) -> Iterator[str]:
    options: Any = message.GetOptions()
    yield from (rule.id for rule in options.Extensions[validate_pb2.message].cel)
    for field in message.fields:
        yield from _of_field(field.GetOptions().Extensions[validate_pb2.field])
    for nested in message.nested_types:
        yield from _of_message(nested)


def _of_field(rules: Any) -> Iterator[str]:
    yield from (rule.id for rule in rules.cel)
    if rules.required:
        yield "required"
    kind = rules.WhichOneof("type")
    if not kind:
        return
    of_kind = getattr(rules, kind)
    names = [field.name for field, _ in of_kind.ListFields()]
    for inner in {"items", "keys", "values"}.intersection(names):
        names.remove(inner)
        yield from _of_field(getattr(of_kind, inner))
    if "gte" in names:  # two bounds are one rule
        upper = [name for name in names if name in ("lt", "lte")]
        names = [name for name in names if name not in ("gte", *upper)] + [
            "_".join(["gte", *upper])
        ]
    yield from (f"{kind}.{name}" for name in names)


def test_every_field_rule_has_a_cause() -> None:
    assert set(_rules()) - causes.by_rule().keys() == set()


def test_a_broken_rule_says_its_bounds() -> None:
    offer = Offer(title="x" * 500, unit_price=-1)
    found = {each.field: each.said for each in validation.violations(offer)}
    assert found["title"].what == "It is longer than 160 characters"
    assert found["unit_price"].parameters == {"least": "0", "most": "1000000000000"}
    assert found["capability"].cause == cause_pb2.CAUSE_MISSING
    wrong = DeclineProposalRequest(name="x", party="x", request_id="z")
    [uuid] = [e for e in validation.violations(wrong) if e.field == "request_id"]
    assert uuid.said.cause == cause_pb2.CAUSE_NOT_A_UUID
    empty = validation.violations(SignUpRequest(person="A", password="0" * 10))
    assert [e.said.cause for e in empty if e.field == "email"] == [cause_pb2.CAUSE_MISSING]
    lines = validation.violations(Demand(lines=[Line(id="?")]))
    [line] = [each for each in lines if each.field == "lines[0].id"]
    assert "31" in line.mend


def test_a_cause_travels_with_its_parameters() -> None:
    week = said(cause_pb2.CAUSE_PERIOD_TWICE, period="2026-W50")
    status = to_status(invalid(Violation("capacity", week)))

    class RefusedError(Exception):  # what a client library raises, without a server
        code = staticmethod(lambda: status.code)
        details = staticmethod(lambda: status.message)
        trailing_metadata = staticmethod(lambda: status.trailing_metadata)

    back = from_rpc_error(RefusedError())  # type: ignore[arg-type]
    [violation] = back.violations
    assert (violation.said.cause, violation.said.parameters) == (week.cause, week.parameters)
    assert violation.description == "2026-W50 is given twice. Add both up"


def _calls(folder: str) -> Iterator[tuple[str, ast.Call]]:
    for path in sorted((ROOT / "services" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


@pytest.mark.parametrize("folder", ["registry", "matching", "chassis"])
def test_no_service_refuses_with_words_alone(folder: str) -> None:
    alone = [
        where
        for where, call in _calls(folder)
        if len(call.args) > _TAKES.get(_name(call), 99)
        and isinstance(call.args[_TAKES[_name(call)]], ast.Constant | ast.JoinedStr)
    ]
    assert alone == []


@pytest.mark.parametrize("folder", ["registry", "matching", "chassis"])
def test_every_refusal_gives_what_its_sentence_names(folder: str) -> None:
    checked = 0
    for where, call in _calls(folder):
        cause = getattr(call.args[0], "attr", "") if call.args else ""
        if _name(call) != "said" or not cause.startswith("CAUSE_"):
            continue
        words = causes.wording(cause_pb2.Cause.Value(cause))
        named = causes.places(words.what) | causes.places(words.mend)
        assert named <= {each.arg for each in call.keywords}, where
        checked += 1
    assert checked > 5
