"""Field rules: what is judged, and in which words."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import InvalidArgument
from services.chassis.validation import require_valid
from spareline.market.v1.organization_pb2 import Organization
from spareline.registry.v1.registry_service_pb2 import UpdateOrganizationRequest


def update(organization: Organization, *paths: str) -> UpdateOrganizationRequest:
    return UpdateOrganizationRequest(
        organization=organization, update_mask=FieldMask(paths=list(paths))
    )


def test_an_update_is_judged_by_the_fields_that_it_names() -> None:
    partial = Organization(name="organizations/a", description="New words")
    require_valid(update(partial, "description"))
    with pytest.raises(InvalidArgument) as refused:
        require_valid(update(partial))  # without a mask the whole message counts
    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"organization.display_name", "organization.region"}


def test_a_named_field_is_judged_and_so_is_the_name() -> None:
    wrong = Organization(name="no such name", region="nowhere")
    with pytest.raises(InvalidArgument) as refused:
        require_valid(update(wrong, "region"))
    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"organization.name", "organization.region"}
    assert all(violation.mend for violation in refused.value.violations)


def test_other_fields_of_the_request_are_judged_whatever_the_mask() -> None:
    request = update(Organization(name="organizations/a"), "description")
    request.request_id = "not a uuid"
    with pytest.raises(InvalidArgument) as refused:
        require_valid(request)
    assert [violation.field for violation in refused.value.violations] == ["request_id"]
