"""Capabilities: found by anyone, extended by operators for every copy of the service."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.errors import (
    AlreadyExists,
    InvalidArgument,
    PermissionDenied,
)
from spareline.market.v1.capability_pb2 import (
    AttributeSchema,
    AttributeValue,
    Capability,
    LocalizedText,
)
from spareline.registry.v1 import registry_service_pb2 as api
from spareline.registry.v1 import taxonomy_service_pb2 as tax
from spareline.registry.v1 import taxonomy_service_pb2_grpc
from tests.e2e.registry_market import (
    FREE,
    MILLING,
    Caller,
    Market,
    create_offer,
    offer,
    refused,
    running_market,
)

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]


async def test_an_operator_extends_the_taxonomy_for_every_copy(
    market: Market, acme: Caller, stack: tuple[str, str, Path]
) -> None:
    store, bus, folder = stack
    operator = await market.operator()
    added = Capability(
        code=f"{FREE}.quantum",
        display_name=LocalizedText(en="Quantum", zh="量子"),
        attributes=[
            AttributeSchema(
                key="qubits",
                display_name=LocalizedText(en="Qubits", zh="量子比特"),
                type=AttributeSchema.TYPE_INTEGER,
                rule=AttributeSchema.RULE_AT_LEAST,
                minimum=1,
                maximum=1000,
                required_in_offer=True,
            )
        ],
    )
    request = api.CreateCapabilityRequest(capability=added, request_id=str(uuid.uuid4()))
    async with running_market(store, bus, "registry", folder) as copy:
        made = await operator.registry.CreateCapability(request)
        assert made.attributes[-1].key == "qubits"
        assert await operator.registry.CreateCapability(request) == made
        elsewhere = copy.stranger()
        elsewhere.token, elsewhere.organization = acme.token, acme.organization
        error = await refused(create_offer(elsewhere, offer(capability=added.code)))
        assert {v.field for v in error.violations} == {"offer.attributes[qubits]"}
        good = offer(capability=added.code, attributes={"qubits": AttributeValue(integer=9)})
        made_offer = await create_offer(elsewhere, good, offer_id="qubits")
        assert made_offer.capability == added.code
    request.request_id = str(uuid.uuid4())
    assert isinstance(await refused(operator.registry.CreateCapability(request)), AlreadyExists)
    request.capability.code = "nowhere.at-all"
    error = await refused(operator.registry.CreateCapability(request))
    assert isinstance(error, InvalidArgument)
    assert isinstance(await refused(acme.registry.CreateCapability(request)), PermissionDenied)
    await _deprecate(operator, added.code)
    error = await refused(create_offer(acme, offer(capability=added.code)))
    assert "offer.capability" in {v.field for v in error.violations}
    # What was posted stays, and can be changed.
    name = f"{acme.organization}/offers/qubits"
    kept = await acme.registry.GetOffer(api.GetOfferRequest(name=name))
    kept.title = "Renamed"
    renamed = await acme.registry.UpdateOffer(
        api.UpdateOfferRequest(offer=kept, update_mask=FieldMask(paths=["title"]))
    )
    assert (renamed.title, renamed.capability) == ("Renamed", added.code)


async def _deprecate(operator: Caller, code: str) -> None:
    desk: Any = taxonomy_service_pb2_grpc.TaxonomyServiceStub(operator.channel)
    definition = await desk.GetCapabilityDefinition(
        tax.GetCapabilityDefinitionRequest(name=f"capabilities/{code}/definition")
    )
    definition.deprecated = True
    draft = await desk.UpdateTaxonomyDraft(
        tax.UpdateTaxonomyDraftRequest(
            taxonomy_draft=tax.TaxonomyDraft(name="taxonomyDraft", edits=[definition])
        )
    )
    request = tax.AdoptTaxonomyDraftRequest(name="taxonomyDraft", etag=draft.etag, note="Enough")
    assert (await desk.AdoptTaxonomyDraft(request)).edits[0].code == code


async def test_capabilities_are_listed_and_found(market: Market) -> None:
    anyone = market.stranger()
    page = await anyone.registry.ListCapabilities(
        api.ListCapabilitiesRequest(below="production", page_size=5)
    )
    codes = [each.code for each in page.capabilities]
    assert codes == sorted(codes)
    assert page.next_page_token
    hits = await anyone.registry.SearchCapabilities(api.SearchCapabilitiesRequest(query="铣削"))
    assert any(each.code.startswith(MILLING) for each in hits.capabilities)
    got = await anyone.registry.GetCapability(
        api.GetCapabilityRequest(name=f"capabilities/{MILLING}")
    )
    assert "materials" in {each.key for each in got.attributes}
