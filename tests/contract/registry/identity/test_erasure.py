"""Erasing an organization: not while claims stand, then wholly, whatever crashes."""

import uuid

import pytest

from services.chassis.errors import FailedPrecondition, NotFound, Unauthenticated
from spareline.errors.v1 import reason_pb2
from spareline.market.v1.organization_pb2 import ApiKey, Contact, Organization
from spareline.registry.v1 import identity_service_pb2
from spareline.registry.v1 import registry_service_pb2 as api
from tests.contract.registry.identity.conftest import Person, Served

CONTACT = Contact(person="Wang Fang", phone="+86 574 1234")


async def key_of(owner: Person) -> str:
    made = await owner.identity.CreateApiKey(
        identity_service_pb2.CreateApiKeyRequest(
            parent=owner.organization, api_key=ApiKey(display_name="ERP")
        )
    )
    return str(made.secret)


async def test_claims_forbid_it(served: Served) -> None:
    owner = await served.owner()
    served.ledger.open = 2
    with pytest.raises(FailedPrecondition) as refused:
        await owner.registry.EraseOrganization(
            api.EraseOrganizationRequest(name=owner.organization)
        )
    assert refused.value.reason == reason_pb2.REASON_COMMITMENTS_REMAIN
    assert not served.ledger.withdrawn
    assert await served.identity.organizations.get(owner.organization) is not None


@pytest.mark.parametrize("crashes", [False, True])
async def test_nothing_personal_is_left(
    served: Served, monkeypatch: pytest.MonkeyPatch, crashes: bool
) -> None:
    owner = await served.owner("Acme Precision", contact=CONTACT, description="Mills")
    other = await served.owner("Bystander")
    key = await key_of(owner)
    request = api.EraseOrganizationRequest(name=owner.organization, request_id=str(uuid.uuid4()))
    if crashes:
        with monkeypatch.context() as broken:

            async def crash(_: str) -> None:
                raise RuntimeError("the process ends here")

            broken.setattr(served.identity.accounts, "delete_all", crash)
            with pytest.raises(Exception, match="went wrong"):
                await owner.registry.EraseOrganization(request)
        await served.identity.resume()
    else:
        await owner.registry.EraseOrganization(request)
    await owner.registry.EraseOrganization(request)  # a repeat is no error
    assert served.ledger.withdrawn == [owner.organization]
    with pytest.raises(NotFound):
        await other.registry.GetOrganization(api.GetOrganizationRequest(name=owner.organization))
    with pytest.raises(Unauthenticated):
        await served.sign_in("owner1@example.com")
    for grant in (
        identity_service_pb2.IssueTokenRequest(api_key=key),
        identity_service_pb2.IssueTokenRequest(refresh_token=owner.refresh),
    ):
        with pytest.raises(Unauthenticated):
            await served.anyone.identity.IssueToken(grant)
    document = await served.identity.organizations.document(owner.organization)
    assert document is not None
    assert document["state"] == "erased"
    assert document["outbox"][-1]["subject"] == "market.organization.erased.v1"
    kept = Organization.FromString(document["body"])
    assert kept.generation == 2
    document["outbox"] = []  # the relay takes these away
    for word in ("Acme", "Wang", "574 1234", "Mills", "owner1@example.com"):
        assert word not in str(document)
    database = served.identity.organizations.aggregates.collection.database
    for collection in ("accounts", "api_keys", "sessions", "audit"):
        found = await database[collection].find({"organization": owner.organization}).to_list(9)
        assert found == []
    assert await served.sign_in("owner2@example.com")
