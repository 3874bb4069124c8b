"""The conventions that every contract keeps (AIPs, and our own), read from the descriptors."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor

from spareline.events.v1 import events_pb2
from spareline.matching.v1 import matching_service_pb2
from spareline.options.v1 import options_pb2
from spareline.registry.v1 import (
    calendar_service_pb2,
    dead_letter_service_pb2,
    draft_service_pb2,
    identity_service_pb2,
    import_service_pb2,
    ledger_service_pb2,
    mail_service_pb2,
    market_data_service_pb2,
    registry_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
)

ROOT = Path(__file__).resolve().parents[3]
SERVICE_FILES = (
    mail_service_pb2,
    dead_letter_service_pb2,
    calendar_service_pb2,
    draft_service_pb2,
    identity_service_pb2,
    import_service_pb2,
    ledger_service_pb2,
    market_data_service_pb2,
    matching_service_pb2,
    registry_service_pb2,
    taxonomy_service_pb2,
    webhook_service_pb2,
)
ROLES = {"owner", "trader", "viewer", "operator", "service", "calendar"}

# Anyone may call these; a new public method must be added here on purpose.
PUBLIC = {
    "IdentityService.SignUp",
    "IdentityService.IssueToken",
    "IdentityService.RevokeToken",
    "IdentityService.GetJwks",
    "RegistryService.GetCapability",
    "RegistryService.ListCapabilities",
    "RegistryService.SearchCapabilities",
}
# No firm's software needs these over HTTP: the platform's own services or pages call them.
NOT_OVER_HTTP = {
    "DraftService.UpdateDraft",
    "DraftService.GetDraft",
    "DraftService.ListDrafts",
    "DraftService.DeleteDraft",
    "ImportService.CreateImport",
    "ImportService.AddImportRows",
    "ImportService.GetImport",
    "ImportService.ListImports",
    "ImportService.ListImportRows",
    "ImportService.ConfirmImport",
    "ImportService.DeleteImport",
    "LedgerService.BatchHold",
    "LedgerService.BatchCommit",
    "LedgerService.BatchRelease",
    "LedgerService.CheckLedger",
    "LedgerService.StreamClaims",
    "RegistryService.StreamBook",
}
# Repeatable by claim and version, which the caller chooses, in place of a request id.
REPEATABLE_BY_CLAIM = {
    "LedgerService.BatchHold",
    "LedgerService.BatchCommit",
    "LedgerService.BatchRelease",
}


def services() -> list[ServiceDescriptor]:
    return [s for f in SERVICE_FILES for s in f.DESCRIPTOR.services_by_name.values()]


def methods() -> list[MethodDescriptor]:
    return [m for s in services() for m in s.methods]


def short(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}.{method.name}"


def access(method: MethodDescriptor) -> options_pb2.Access:
    options = method.GetOptions()
    assert options.HasExtension(options_pb2.access), f"{short(method)} has no access rule"
    return options.Extensions[options_pb2.access]


every_method = pytest.mark.parametrize("method", methods(), ids=short)


@pytest.fixture(scope="module")
def source() -> descriptor_pb2.FileDescriptorSet:
    """Our contracts with their comments, compiled as the set-up compiles them."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "contracts.binpb"
        # In a process of its own: the compiler's library and ours do not live in one process.
        subprocess.run(
            [sys.executable, "-m", "protos.generate", "--describe", str(out)], check=True, cwd=ROOT
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    ours = [f for f in files.file if f.name.startswith("spareline/")]
    assert len(ours) > 10
    return descriptor_pb2.FileDescriptorSet(file=ours)


def _declared(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path (as in SourceCodeInfo) and name of everything that wants a comment."""

    def message(
        path: tuple[int, ...], name: str, m: descriptor_pb2.DescriptorProto
    ) -> Iterator[tuple[tuple[int, ...], str]]:
        if m.options.map_entry:
            return
        yield path, name
        for i, field in enumerate(m.field):
            yield (*path, 2, i), f"{name}.{field.name}"
        for i, nested in enumerate(m.nested_type):
            yield from message((*path, 3, i), f"{name}.{nested.name}", nested)
        for i, enum in enumerate(m.enum_type):
            yield from enumeration((*path, 4, i), f"{name}.{enum.name}", enum)

    def enumeration(
        path: tuple[int, ...], name: str, e: descriptor_pb2.EnumDescriptorProto
    ) -> Iterator[tuple[tuple[int, ...], str]]:
        yield path, name
        for i, value in enumerate(e.value):
            yield (*path, 2, i), f"{name}.{value.name}"

    for i, m in enumerate(file.message_type):
        yield from message((4, i), m.name, m)
    for i, e in enumerate(file.enum_type):
        yield from enumeration((5, i), e.name, e)
    for i, service in enumerate(file.service):
        yield (6, i), service.name
        for j, method in enumerate(service.method):
            yield (6, i, 2, j), f"{service.name}.{method.name}"


def test_everything_is_commented(source: descriptor_pb2.FileDescriptorSet) -> None:
    bare = []
    for file in source.file:
        comments = {tuple(x.path): x.leading_comments for x in file.source_code_info.location}
        bare += [
            f"{file.name}: {name}"
            for path, name in _declared(file)
            if not comments.get(path, "").strip()
        ]
    assert bare == []


def test_directory_equals_package(source: descriptor_pb2.FileDescriptorSet) -> None:
    for file in source.file:
        assert str(Path(file.name).parent).replace("/", ".") == file.package


def test_enums_start_with_unspecified(source: descriptor_pb2.FileDescriptorSet) -> None:
    def enums(m: descriptor_pb2.DescriptorProto) -> Iterator[descriptor_pb2.EnumDescriptorProto]:
        yield from m.enum_type
        for nested in m.nested_type:
            yield from enums(nested)

    for file in source.file:
        for enum in [*file.enum_type, *(e for m in file.message_type for e in enums(m))]:
            assert enum.value[0].number == 0
            assert enum.value[0].name.endswith("_UNSPECIFIED"), f"{file.name}: {enum.name}"


def test_no_float_holds_a_quantity_or_money(source: descriptor_pb2.FileDescriptorSet) -> None:
    floats = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
    found = [
        f"{m.name}.{f.name}"
        for file in source.file
        for m in file.message_type
        for f in m.field
        if f.type in floats
    ]
    assert found == []


@every_method
def test_access_is_declared_and_sound(method: MethodDescriptor) -> None:
    rule = access(method)
    assert set(rule.roles) <= ROLES
    assert rule.public == (short(method) in PUBLIC)
    if rule.public:
        assert not rule.roles
        assert not rule.organization_field
    if rule.organization_field:
        message = method.input_type
        for part in rule.organization_field.split("."):
            field = message.fields_by_name[part]
            message = field.message_type or message
        assert field.type == FieldDescriptor.TYPE_STRING


@every_method
def test_mutations_can_be_repeated(method: MethodDescriptor) -> None:
    if not access(method).write or short(method) in REPEATABLE_BY_CLAIM:
        return
    request = method.input_type
    if method.name.startswith("Batch"):  # each part is repeatable by itself
        part = request.fields_by_name["requests"].message_type
        assert part is not None
        request = part
    assert "request_id" in request.fields_by_name, short(method)


@every_method
def test_standard_methods_have_their_shape(method: MethodDescriptor) -> None:
    request = set(method.input_type.fields_by_name)
    answer = set(method.output_type.fields_by_name)
    if method.name.startswith("List"):
        assert {"page_size", "page_token"} <= request
        assert "next_page_token" in answer
    if method.name.startswith("Update") and method.name != "UpdatePolicy":
        # A policy is replaced whole: every update is a new version of the document.
        assert "update_mask" in request
    if re.match(r"Get(?!Jwks|Book|Explanation)", method.name):
        assert "name" in request
    if method.name.startswith("Create"):
        assert not answer.isdisjoint({"name", "api_key"})


@every_method
def test_firms_reach_it_over_http(method: MethodDescriptor) -> None:
    options = method.GetOptions()
    annotated = options.HasExtension(annotations_pb2.http)
    assert annotated != (short(method) in NOT_OVER_HTTP), (
        f"{short(method)}: add option (google.api.http), or name it in NOT_OVER_HTTP"
    )
    if not annotated:
        return
    rule = options.Extensions[annotations_pb2.http]
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        path = getattr(each, verb)
        assert path.startswith("/v1/")
        assert (verb == "get") <= (each.body == ""), f"{path}: a GET has no body (AIP-127)"
        if re.match(r"((Batch)?Get|List|Search|Watch|WhoAmI)", method.name):
            assert verb == "get", path
        else:
            assert verb != "get", path


def test_no_two_methods_share_an_address() -> None:
    seen: set[tuple[str, str]] = set()
    for method in methods():
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for each in (rule, *rule.additional_bindings):
            verb = each.WhichOneof("pattern")
            if verb is None:
                continue
            address = re.sub(r"\{[^{}=]+=?([^{}]*)\}", r"\1", getattr(each, verb))
            assert (verb, address) not in seen, f"{short(method)}: {verb} {address} is taken"
            seen.add((verb, address))


def test_events_carry_their_subject() -> None:
    subjects = []
    for message in events_pb2.DESCRIPTOR.message_types_by_name.values():
        subject = message.GetOptions().Extensions[options_pb2.subject]
        assert re.fullmatch(r"market\.[a-z]+\.[a-z]+\.v[0-9]+", subject), message.name
        noun, verb = subject.split(".")[1:3]
        assert message.name.lower() == noun + verb
        subjects.append(subject)
    assert len(subjects) == len(set(subjects)) > 20


def test_resources_that_change_carry_an_etag() -> None:
    from spareline.market.v1 import demand_pb2, offer_pb2, organization_pb2
    from spareline.matching.v1 import policy_pb2, proposal_pb2

    for message in (
        demand_pb2.Demand,
        offer_pb2.Offer,
        organization_pb2.Organization,
        organization_pb2.Member,
        policy_pb2.Policy,
        proposal_pb2.Proposal,
    ):
        assert "etag" in message.DESCRIPTOR.fields_by_name
