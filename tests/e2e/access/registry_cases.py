"""The cases of the registry's services: identity, organizations, postings, the ledger."""

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from spareline.market.v1 import demand_pb2, draft_pb2, offer_pb2, organization_pb2
from spareline.registry.v1 import calendar_service_pb2 as calendars
from spareline.registry.v1 import draft_service_pb2 as drafts
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import import_service_pb2 as imports
from spareline.registry.v1 import ledger_service_pb2 as led
from spareline.registry.v1 import market_data_service_pb2 as data
from spareline.registry.v1 import registry_service_pb2 as reg
from spareline.registry.v1 import taxonomy_service_pb2 as tax
from tests.e2e.access.case import Case, Make, same
from tests.e2e.access.cast import A
from tests.e2e.access.scene import HIDDEN, Scene

# Left to the owners, delegation or not.
_NOT_THE_PLATFORM = {"platform_with": "ORGANIZATION_FORBIDDEN"}


def _stale_offer(scene: Scene) -> Message:
    stale = offer_pb2.Offer()
    stale.CopyFrom(scene.offer)
    stale.etag, stale.title = "stale", "Taken over"
    return reg.UpdateOfferRequest(offer=stale, update_mask=FieldMask(paths=["title"]))


def _stale_demand(scene: Scene) -> Message:
    stale = demand_pb2.Demand()
    stale.CopyFrom(scene.demand)
    stale.etag, stale.title = "stale", "Taken over"
    return reg.UpdateDemandRequest(demand=stale, update_mask=FieldMask(paths=["title"]))


def _organization(path: str) -> Make:
    changed = organization_pb2.Organization(
        name=A,
        etag="stale",
        display_name="Taken over",
        region="CN-ZJ",
        verification=organization_pb2.Organization.VERIFICATION_ON_SITE,
    )
    return same(
        reg.UpdateOrganizationRequest(organization=changed, update_mask=FieldMask(paths=[path]))
    )


# Only operators read across organizations.
_NOT_OF_ALL = dict.fromkeys(
    ("owner_a", "trader_a", "viewer_a", "key_a", "owner_b", "platform_with", "platform_without"),
    "ORGANIZATION_FORBIDDEN",
)
_BROUGHT = reg.CreateOrganizationRequest(
    evidence="none",
    organization=organization_pb2.Organization(
        display_name="Brought", region="CN-ZJ", kind=organization_pb2.Organization.KIND_OPERATOR
    ),
)
_NO_MEMBER = organization_pb2.Member(
    name=f"{A}/members/none",
    email="none@alpha.example",
    role=organization_pb2.Member.ROLE_VIEWER,
)

IDENTITY = (
    Case("SignUp", same(ids.SignUpRequest()), "FIELD_INVALID"),
    Case("IssueToken", same(ids.IssueTokenRequest()), "FIELD_INVALID"),
    Case("RevokeToken", same(ids.RevokeTokenRequest(refresh_token="none"))),
    Case("GetJwks", same(ids.GetJwksRequest())),
    Case("WhoAmI", same(ids.WhoAmIRequest())),
    Case(
        "ChangePassword",
        same(ids.ChangePasswordRequest(current_password="wrong", new_password="long-enough-1")),
        "CREDENTIALS_WRONG",
        {"key_a": "ROLE_MISSING"},  # a key has no password
    ),
    Case("CreateMember", same(ids.CreateMemberRequest(parent=A)), "FIELD_INVALID"),
    Case("ListMembers", same(ids.ListMembersRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case(
        "UpdateMember",
        same(ids.UpdateMemberRequest(member=_NO_MEMBER, update_mask=FieldMask(paths=["role"]))),
        "NOT_FOUND",
    ),
    Case("DeleteMember", same(ids.DeleteMemberRequest(name=_NO_MEMBER.name)), "NOT_FOUND"),
    Case("CreateApiKey", same(ids.CreateApiKeyRequest(parent=A)), "FIELD_INVALID"),
    Case("ListApiKeys", same(ids.ListApiKeysRequest(parent=A))),
    Case("DeleteApiKey", same(ids.DeleteApiKeyRequest(name=f"{A}/apiKeys/none")), "NOT_FOUND"),
)

# Of a member that nobody of the cast is: a draft is refused to colleagues as to everybody else.
_COLLEAGUE = f"{A}/members/colleague"
_DRAFT = draft_pb2.Draft(name=f"{_COLLEAGUE}/drafts/none", kind=draft_pb2.Draft.KIND_OFFER)
_NOT_YOURS = "ORGANIZATION_FORBIDDEN"

# What an operator may read of others, and yet not their files.
_NOT_THE_OPERATOR = {"operator": "ORGANIZATION_FORBIDDEN"}
_IMPORT = f"{A}/imports/none"
IMPORTS = (
    Case("CreateImport", same(imports.CreateImportRequest(parent=A)), "FIELD_INVALID"),
    Case("AddImportRows", same(imports.AddImportRowsRequest(name=_IMPORT)), "NOT_FOUND"),
    Case(
        "GetImport",
        same(imports.GetImportRequest(name=_IMPORT)),
        "NOT_FOUND",
        but=_NOT_THE_OPERATOR,
    ),
    Case("ListImports", same(imports.ListImportsRequest(parent=A)), but=_NOT_THE_OPERATOR),
    Case(
        "ListImportRows",
        same(imports.ListImportRowsRequest(parent=_IMPORT)),
        "NOT_FOUND",
        but=_NOT_THE_OPERATOR,
    ),
    Case("ConfirmImport", same(imports.ConfirmImportRequest(name=_IMPORT)), "NOT_FOUND"),
    Case("DeleteImport", same(imports.DeleteImportRequest(name=_IMPORT))),
)
DRAFTS = (
    Case("UpdateDraft", same(drafts.UpdateDraftRequest(draft=_DRAFT)), _NOT_YOURS),
    Case("GetDraft", same(drafts.GetDraftRequest(name=_DRAFT.name)), _NOT_YOURS),
    Case("ListDrafts", same(drafts.ListDraftsRequest(parent=_COLLEAGUE)), _NOT_YOURS),
    Case("DeleteDraft", same(drafts.DeleteDraftRequest(name=_DRAFT.name)), _NOT_YOURS),
    Case(
        "BatchGetCapabilitySummaries",
        same(
            data.BatchGetCapabilitySummariesRequest(
                names=["capabilities/production.machining/summary"], region="CN-ZJ"
            )
        ),
    ),
    Case(
        "SearchPostings",
        same(data.SearchPostingsRequest(kind=data.SearchPostingsRequest.KIND_OFFERS)),
    ),
    Case("GetUtilization", same(data.GetUtilizationRequest(name=f"{A}/utilization"))),
    Case(
        "GetUtilization",
        same(data.GetUtilizationRequest(name="organizations/-/utilization")),
        _NOT_YOURS,
        {"operator": "OK"},
        note="of the market",
    ),
    Case("GetMarketView", same(data.GetMarketViewRequest(name="capabilities/-/marketView"))),
)

_FEED = f"{_COLLEAGUE}/calendarFeed"

CALENDARS = (
    Case("GetCalendarFeed", same(calendars.GetCalendarFeedRequest(name=_FEED)), _NOT_YOURS),
    Case("RotateCalendarFeed", same(calendars.RotateCalendarFeedRequest(name=_FEED)), _NOT_YOURS),
    Case("DeleteCalendarFeed", same(calendars.DeleteCalendarFeedRequest(name=_FEED)), _NOT_YOURS),
)

ORGANIZATIONS = (
    Case(
        "CreateOrganization",
        same(_BROUGHT),
        "FIELD_INVALID",
        {"owner_a": "ROLE_MISSING", "trader_a": "ROLE_MISSING", "owner_b": "ROLE_MISSING"},
    ),
    Case("GetOrganization", same(reg.GetOrganizationRequest(name=A))),
    Case("ListOrganizations", same(reg.ListOrganizationsRequest())),
    Case(
        "UpdateOrganization",
        _organization("display_name"),
        "ETAG_MISMATCH",
        _NOT_THE_PLATFORM,
        concerns_a=True,
        note="its own part",
    ),
    Case(
        "UpdateOrganization",
        _organization("verification"),
        "ROLE_MISSING",  # not for owners, of whatever organization
        {"operator": "ETAG_MISMATCH"},
        note="the operators' part",
    ),
    Case(
        "EraseOrganization",
        same(reg.EraseOrganizationRequest(name=A)),
        "COMMITMENTS_REMAIN",
        _NOT_THE_PLATFORM,
    ),
    Case("CreateDelegation", same(reg.CreateDelegationRequest(parent=A)), "FIELD_INVALID"),
    Case("ListDelegations", same(reg.ListDelegationsRequest(parent=A))),
    Case(
        "DeleteDelegation",
        same(reg.DeleteDelegationRequest(name=f"{A}/delegations/none")),
        "NOT_FOUND",
    ),
    Case("ListAuditEntries", same(reg.ListAuditEntriesRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case(
        "ListAuditEntries",
        same(reg.ListAuditEntriesRequest(parent="organizations/-", page_size=1)),
        but=_NOT_OF_ALL,
        concerns_a=False,
        note="of all",
    ),
    Case("ListCreditEvents", same(reg.ListCreditEventsRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case(
        "ContestCreditEvent",
        same(reg.ContestCreditEventRequest(name=f"{A}/creditEvents/none", note="not so")),
        "NOT_FOUND",
    ),
    Case(
        "ListCreditEvents",
        same(reg.ListCreditEventsRequest(parent="organizations/-", contested_only=True)),
        but=_NOT_OF_ALL,
        concerns_a=False,
        note="of all",
    ),
    Case(
        "GetCreditAccount",
        same(reg.GetCreditAccountRequest(name=f"{A}/creditAccount")),
        but=_NOT_THE_PLATFORM,
    ),
    Case(
        "DecideCreditEvent",
        same(
            reg.DecideCreditEventRequest(
                name=f"{A}/creditEvents/none",
                verdict=organization_pb2.CreditEvent.VERDICT_STRUCK,
                reason="a storm",
            )
        ),
        "NOT_FOUND",
    ),
    Case("GetCapability", same(reg.GetCapabilityRequest(name="capabilities/none")), "NOT_FOUND"),
    Case("ListCapabilities", same(reg.ListCapabilitiesRequest(page_size=1))),
    Case("SearchCapabilities", same(reg.SearchCapabilitiesRequest(query="milling", limit=1))),
    Case(
        "GetCapabilityDefinition",
        same(tax.GetCapabilityDefinitionRequest(name="capabilities/none/definition")),
        "NOT_FOUND",
    ),
    Case("GetTaxonomyDraft", same(tax.GetTaxonomyDraftRequest(name="taxonomyDraft"))),
    Case("UpdateTaxonomyDraft", same(tax.UpdateTaxonomyDraftRequest()), "FIELD_INVALID"),
    Case("AdoptTaxonomyDraft", same(tax.AdoptTaxonomyDraftRequest()), "FIELD_INVALID"),
    Case("ListTaxonomyVersions", same(tax.ListTaxonomyVersionsRequest())),
    Case("CreateCapability", same(reg.CreateCapabilityRequest()), "FIELD_INVALID"),
)

# To whoever may not know whose a posting is, it is not there.
_UNKNOWN = {"owner_b": "NOT_FOUND", "platform_without": "NOT_FOUND"}

POSTINGS = (
    Case("CreateOffer", same(reg.CreateOfferRequest(parent=A)), "FIELD_INVALID"),
    Case("GetOffer", lambda s: reg.GetOfferRequest(name=s.offer.name), note="public"),
    Case(
        "GetOffer",
        same(reg.GetOfferRequest(name=f"{A}/offers/{HIDDEN}")),
        but=_UNKNOWN,
        note="hidden",
    ),
    Case("ListOffers", same(reg.ListOffersRequest(parent=A)), note="of A"),
    Case("ListOffers", same(reg.ListOffersRequest(parent="organizations/-")), note="of all"),
    Case("UpdateOffer", _stale_offer, "ETAG_MISMATCH"),
    Case(
        "WithdrawOffer",
        lambda s: reg.WithdrawOfferRequest(name=s.offer.name, etag="stale"),
        "ETAG_MISMATCH",
    ),
    Case("CreateDemand", same(reg.CreateDemandRequest(parent=A)), "FIELD_INVALID"),
    Case("GetDemand", lambda s: reg.GetDemandRequest(name=s.demand.name), note="public"),
    Case(
        "GetDemand",
        same(reg.GetDemandRequest(name=f"{A}/demands/private-need")),
        but=_UNKNOWN,
        note="hidden",
    ),
    Case("ListDemands", same(reg.ListDemandsRequest(parent=A)), note="of A"),
    Case("ListDemands", same(reg.ListDemandsRequest(parent="organizations/-")), note="of all"),
    Case("UpdateDemand", _stale_demand, "ETAG_MISMATCH"),
    Case(
        "WithdrawDemand",
        lambda s: reg.WithdrawDemandRequest(name=s.demand.name, etag="stale"),
        "ETAG_MISMATCH",
    ),
    Case(
        "ImportOffers",
        same(reg.ImportOffersRequest(offers=[offer_pb2.Offer(name=f"{A}/offers/slipped-in")])),
        "FIELD_INVALID",
        concerns_a=True,
    ),
    Case(
        "ImportDemands",
        same(reg.ImportDemandsRequest(demands=[demand_pb2.Demand(name=f"{A}/demands/slipped-in")])),
        "FIELD_INVALID",
        concerns_a=True,
    ),
    Case("StreamBook", same(reg.StreamBookRequest())),
    Case("BatchHold", same(led.BatchHoldRequest()), "FIELD_INVALID"),
    Case("BatchCommit", same(led.BatchCommitRequest()), "FIELD_INVALID"),
    Case("BatchRelease", same(led.BatchReleaseRequest()), "FIELD_INVALID"),
    Case("StreamClaims", same(led.StreamClaimsRequest())),
    Case("CheckLedger", same(led.CheckLedgerRequest())),
)
