"""For every RPC a request aimed at A's data, and what a caller who is let in gets.

A request is made so that being let in changes nothing: it fails a check that comes after the
access rules (a stale etag, a missing part, a posting that is not there), or only reads. An RPC
without a case fails the test, so whoever adds one says here who may call it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from google.longrunning import operations_pb2 as ops
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from spareline.market.v1 import demand_pb2, offer_pb2, organization_pb2
from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2
from spareline.registry.v1 import identity_service_pb2 as ids
from spareline.registry.v1 import ledger_service_pb2 as led
from spareline.registry.v1 import registry_service_pb2 as reg
from tests.e2e.access.cast import A
from tests.e2e.access.scene import HIDDEN, LIMIT, Scene

Make = Callable[[Scene], Message]


@dataclass(frozen=True)
class Case:
    """One request to one RPC.

    ``let_in`` is what a caller gets whom the access option lets in: "OK" or a reason.
    ``but`` names the callers for whom the use case decides otherwise.
    ``concerns_a`` is set where the use case applies the rule of the organization.
    """

    method: str
    request: Make
    let_in: str = "OK"
    but: Mapping[str, str] = field(default_factory=dict)
    concerns_a: bool | None = None
    note: str = ""

    @property
    def title(self) -> str:
        """What the case is called in a report."""
        return f"{self.method}{' ' if self.note else ''}{self.note}"


FORBIDDEN = "ORGANIZATION_FORBIDDEN"
_NOT_THE_PLATFORM = {"platform_with": FORBIDDEN}  # left to the owners, delegation or not


def _same(message: Message) -> Make:
    return lambda _: message


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
    return _same(
        reg.UpdateOrganizationRequest(organization=changed, update_mask=FieldMask(paths=[path]))
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
    Case("SignUp", _same(ids.SignUpRequest()), "FIELD_INVALID"),
    Case("IssueToken", _same(ids.IssueTokenRequest()), "FIELD_INVALID"),
    Case("RevokeToken", _same(ids.RevokeTokenRequest(refresh_token="none"))),
    Case("GetJwks", _same(ids.GetJwksRequest())),
    Case("WhoAmI", _same(ids.WhoAmIRequest())),
    Case(
        "ChangePassword",
        _same(ids.ChangePasswordRequest(current_password="wrong", new_password="long-enough-1")),
        "CREDENTIALS_WRONG",
        {"key_a": "ROLE_MISSING"},  # a key has no password
    ),
    Case("CreateMember", _same(ids.CreateMemberRequest(parent=A)), "FIELD_INVALID"),
    Case("ListMembers", _same(ids.ListMembersRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case(
        "UpdateMember",
        _same(ids.UpdateMemberRequest(member=_NO_MEMBER, update_mask=FieldMask(paths=["role"]))),
        "NOT_FOUND",
    ),
    Case("DeleteMember", _same(ids.DeleteMemberRequest(name=_NO_MEMBER.name)), "NOT_FOUND"),
    Case("CreateApiKey", _same(ids.CreateApiKeyRequest(parent=A)), "FIELD_INVALID"),
    Case("ListApiKeys", _same(ids.ListApiKeysRequest(parent=A))),
    Case("DeleteApiKey", _same(ids.DeleteApiKeyRequest(name=f"{A}/apiKeys/none")), "NOT_FOUND"),
)

ORGANIZATIONS = (
    Case(
        "CreateOrganization",
        _same(_BROUGHT),
        "FIELD_INVALID",
        {"owner_a": "ROLE_MISSING", "trader_a": "ROLE_MISSING", "owner_b": "ROLE_MISSING"},
    ),
    Case("GetOrganization", _same(reg.GetOrganizationRequest(name=A))),
    Case("ListOrganizations", _same(reg.ListOrganizationsRequest())),
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
        _same(reg.EraseOrganizationRequest(name=A)),
        "COMMITMENTS_REMAIN",
        _NOT_THE_PLATFORM,
    ),
    Case("CreateDelegation", _same(reg.CreateDelegationRequest(parent=A)), "FIELD_INVALID"),
    Case("ListDelegations", _same(reg.ListDelegationsRequest(parent=A))),
    Case(
        "DeleteDelegation",
        _same(reg.DeleteDelegationRequest(name=f"{A}/delegations/none")),
        "NOT_FOUND",
    ),
    Case("ListAuditEntries", _same(reg.ListAuditEntriesRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case("ListCreditEvents", _same(reg.ListCreditEventsRequest(parent=A)), but=_NOT_THE_PLATFORM),
    Case(
        "ContestCreditEvent",
        _same(reg.ContestCreditEventRequest(name=f"{A}/creditEvents/none", note="not so")),
        "NOT_FOUND",
    ),
    Case("GetCapability", _same(reg.GetCapabilityRequest(name="capabilities/none")), "NOT_FOUND"),
    Case("ListCapabilities", _same(reg.ListCapabilitiesRequest(page_size=1))),
    Case("SearchCapabilities", _same(reg.SearchCapabilitiesRequest(query="milling", limit=1))),
    Case("CreateCapability", _same(reg.CreateCapabilityRequest()), "FIELD_INVALID"),
)

# To whoever may not know whose a posting is, it is not there.
_UNKNOWN = {"owner_b": "NOT_FOUND", "platform_without": "NOT_FOUND"}

POSTINGS = (
    Case("CreateOffer", _same(reg.CreateOfferRequest(parent=A)), "FIELD_INVALID"),
    Case("GetOffer", lambda s: reg.GetOfferRequest(name=s.offer.name), note="public"),
    Case(
        "GetOffer",
        _same(reg.GetOfferRequest(name=f"{A}/offers/{HIDDEN}")),
        but=_UNKNOWN,
        note="hidden",
    ),
    Case("ListOffers", _same(reg.ListOffersRequest(parent=A)), note="of A"),
    Case("ListOffers", _same(reg.ListOffersRequest(parent="organizations/-")), note="of all"),
    Case("UpdateOffer", _stale_offer, "ETAG_MISMATCH"),
    Case(
        "WithdrawOffer",
        lambda s: reg.WithdrawOfferRequest(name=s.offer.name, etag="stale"),
        "ETAG_MISMATCH",
    ),
    Case("CreateDemand", _same(reg.CreateDemandRequest(parent=A)), "FIELD_INVALID"),
    Case("GetDemand", lambda s: reg.GetDemandRequest(name=s.demand.name), note="public"),
    Case(
        "GetDemand",
        _same(reg.GetDemandRequest(name=f"{A}/demands/private-need")),
        but=_UNKNOWN,
        note="hidden",
    ),
    Case("ListDemands", _same(reg.ListDemandsRequest(parent=A)), note="of A"),
    Case("ListDemands", _same(reg.ListDemandsRequest(parent="organizations/-")), note="of all"),
    Case("UpdateDemand", _stale_demand, "ETAG_MISMATCH"),
    Case(
        "WithdrawDemand",
        lambda s: reg.WithdrawDemandRequest(name=s.demand.name, etag="stale"),
        "ETAG_MISMATCH",
    ),
    Case(
        "ImportOffers",
        _same(reg.ImportOffersRequest(offers=[offer_pb2.Offer(name=f"{A}/offers/slipped-in")])),
        "FIELD_INVALID",
        concerns_a=True,
    ),
    Case(
        "ImportDemands",
        _same(
            reg.ImportDemandsRequest(demands=[demand_pb2.Demand(name=f"{A}/demands/slipped-in")])
        ),
        "FIELD_INVALID",
        concerns_a=True,
    ),
    Case("StreamBook", _same(reg.StreamBookRequest())),
    Case("BatchHold", _same(led.BatchHoldRequest()), "FIELD_INVALID"),
    Case("BatchCommit", _same(led.BatchCommitRequest()), "FIELD_INVALID"),
    Case("BatchRelease", _same(led.BatchReleaseRequest()), "FIELD_INVALID"),
    Case("StreamClaims", _same(led.StreamClaimsRequest())),
    Case("CheckLedger", _same(led.CheckLedgerRequest())),
)

_MEMBERS = ("owner_a", "trader_a", "viewer_a", "key_a")
_ALL_BUT_OPERATORS = dict.fromkeys(
    (*_MEMBERS, "owner_b", "platform_with", "platform_without"), "NOT_FOUND"
)

ROUNDS = (
    Case("RunRound", _same(pb.RunRoundRequest(seed=2**40)), "FIELD_INVALID"),
    Case("GetRound", lambda s: pb.GetRoundRequest(name=s.round)),
    Case(
        "GetRound",
        lambda s: pb.GetRoundRequest(name=s.what_if),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("ListRounds", _same(pb.ListRoundsRequest())),
    Case("WatchRound", lambda s: pb.WatchRoundRequest(name=s.round)),
    Case(
        "WatchRound",
        lambda s: pb.WatchRoundRequest(name=s.what_if),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("CancelRound", lambda s: pb.CancelRoundRequest(name=s.round), "ROUND_STATE"),
    Case("VerifyRound", lambda s: pb.VerifyRoundRequest(name=s.round)),
    Case("GetExplanation", _same(pb.GetExplanationRequest(subject=f"{A}/demands/private-need"))),
    Case(
        "ListExplanations",
        lambda s: pb.ListExplanationsRequest(parent=s.round, organization=A),
        concerns_a=True,
    ),
    Case(
        "ListExplanations",
        lambda s: pb.ListExplanationsRequest(parent=s.what_if, organization=A),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("GetPolicy", _same(pb.GetPolicyRequest())),
    Case("ListPolicies", _same(pb.ListPoliciesRequest())),
    Case("CreatePolicy", _same(pb.CreatePolicyRequest()), "FIELD_INVALID"),
    Case("UpdatePolicy", _same(pb.UpdatePolicyRequest()), "FIELD_INVALID"),
    Case("ActivatePolicy", _same(pb.ActivatePolicyRequest(name="policies/none")), "NOT_FOUND"),
    Case("ListFairnessAccounts", _same(pb.ListFairnessAccountsRequest())),
    Case("GetBook", _same(pb.GetBookRequest())),
    Case("ListOperations", _same(ops.ListOperationsRequest())),
    Case("GetOperation", lambda s: ops.GetOperationRequest(name=_operation(s.round))),
    Case(
        "GetOperation",
        lambda s: ops.GetOperationRequest(name=_operation(s.what_if)),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("WaitOperation", lambda s: ops.WaitOperationRequest(name=_operation(s.round))),
    Case(
        "CancelOperation",
        lambda s: ops.CancelOperationRequest(name=_operation(s.round)),
        "ROUND_STATE",
    ),
)
NOT_SERVED = ("DeleteOperation",)
"""A round stays on record: AIP-151 leaves that open."""


def _operation(name: str) -> str:
    return name.replace("rounds/", "operations/")


PROPOSALS = (
    Case("GetProposal", lambda s: pb.GetProposalRequest(name=s.proposal, party=A)),
    Case("ListProposals", _same(pb.ListProposalsRequest(parent="rounds/-", party=A))),
    Case("WatchProposals", _same(pb.WatchProposalsRequest(party=A))),
    Case(
        "AcceptProposal",
        lambda s: pb.AcceptProposalRequest(name=s.proposal, party=A, terms_version=99),
        "TERMS_CHANGED",
    ),
    Case(
        "DeclineProposal",
        lambda s: pb.DeclineProposalRequest(name=f"{s.round}/proposals/none", party=A),
        "NOT_FOUND",
    ),
    Case(
        "CounterProposal",
        lambda s: pb.CounterProposalRequest(name=s.proposal, party=A),
        "FIELD_INVALID",
    ),
    Case(
        "AcceptCounter",
        lambda s: pb.AcceptCounterRequest(name=s.proposal, party=A),
        "PROPOSAL_STATE",
    ),
    Case(
        "DeclineCounter",
        lambda s: pb.DeclineCounterRequest(name=s.proposal, party=A),
        "PROPOSAL_STATE",
    ),
    Case(
        "ReportProposal",
        lambda s: pb.ReportProposalRequest(name=s.proposal, party=A, fulfilled=True),
        "PROPOSAL_STATE",
    ),
    Case(
        "ResolveDispute",
        lambda s: pb.ResolveDisputeRequest(name=s.proposal, note="so be it"),
        "PROPOSAL_STATE",
    ),
)

CASES = (*IDENTITY, *ORGANIZATIONS, *POSTINGS, *ROUNDS, *PROPOSALS)

_LEG = proposal_pb2.CounterLeg(leg_index=0, unit_price=1)
AS_ITSELF: Mapping[str, Callable[[Scene, str], Message]] = {
    "GetProposal": lambda s, own: pb.GetProposalRequest(name=s.proposal, party=own),
    "AcceptProposal": lambda s, own: pb.AcceptProposalRequest(name=s.proposal, party=own),
    "DeclineProposal": lambda s, own: pb.DeclineProposalRequest(name=s.proposal, party=own),
    "CounterProposal": lambda s, own: pb.CounterProposalRequest(
        name=s.proposal, party=own, legs=[_LEG]
    ),
    "AcceptCounter": lambda s, own: pb.AcceptCounterRequest(name=s.proposal, party=own),
    "DeclineCounter": lambda s, own: pb.DeclineCounterRequest(name=s.proposal, party=own),
    "ReportProposal": lambda s, own: pb.ReportProposalRequest(name=s.proposal, party=own),
}
"""Requests about A's proposal in the name of the caller's own organization, which is no party."""

__all__ = ["AS_ITSELF", "CASES", "FORBIDDEN", "LIMIT", "NOT_SERVED", "Case"]
