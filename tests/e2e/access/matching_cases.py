"""The cases of matching's services: rounds, operations, policies, explanations, proposals."""

from collections.abc import Callable, Mapping

from google.longrunning import operations_pb2 as ops
from google.protobuf.message import Message

from spareline.matching.v1 import matching_service_pb2 as pb
from spareline.matching.v1 import proposal_pb2
from tests.e2e.access.case import Case, same
from tests.e2e.access.cast import A
from tests.e2e.access.scene import Scene

_MEMBERS = ("owner_a", "trader_a", "viewer_a", "key_a")
_ALL_BUT_OPERATORS = dict.fromkeys(
    (*_MEMBERS, "owner_b", "platform_with", "platform_without"), "NOT_FOUND"
)

ROUNDS = (
    Case("RunRound", same(pb.RunRoundRequest(seed=2**40)), "FIELD_INVALID"),
    Case("GetRound", lambda s: pb.GetRoundRequest(name=s.round)),
    Case(
        "GetRound",
        lambda s: pb.GetRoundRequest(name=s.what_if),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("ListRounds", same(pb.ListRoundsRequest())),
    Case("WatchRound", lambda s: pb.WatchRoundRequest(name=s.round)),
    Case(
        "WatchRound",
        lambda s: pb.WatchRoundRequest(name=s.what_if),
        but=_ALL_BUT_OPERATORS,
        note="what-if",
    ),
    Case("CancelRound", lambda s: pb.CancelRoundRequest(name=s.round), "ROUND_STATE"),
    Case("VerifyRound", lambda s: pb.VerifyRoundRequest(name=s.round)),
    Case("GetRoundFlows", lambda s: pb.GetRoundFlowsRequest(name=s.round)),
    Case(
        "GetRoundComparison",
        lambda s: pb.GetRoundComparisonRequest(name=s.what_if, base=s.round),
    ),
    Case("GetExplanation", same(pb.GetExplanationRequest(subject=f"{A}/demands/private-need"))),
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
    Case("GetPolicy", same(pb.GetPolicyRequest())),
    Case("ListPolicies", same(pb.ListPoliciesRequest())),
    Case("CreatePolicy", same(pb.CreatePolicyRequest()), "FIELD_INVALID"),
    Case("UpdatePolicy", same(pb.UpdatePolicyRequest()), "FIELD_INVALID"),
    Case("ActivatePolicy", same(pb.ActivatePolicyRequest(name="policies/none")), "NOT_FOUND"),
    Case("GetDeliveries", same(pb.GetDeliveriesRequest(name=f"{A}/deliveries"))),
    Case(
        "GetDeliveries",
        same(pb.GetDeliveriesRequest(name="organizations/-/deliveries")),
        "ORGANIZATION_FORBIDDEN",
        {"operator": "OK"},
        note="of the market",
    ),
    Case("ListFairnessAccounts", same(pb.ListFairnessAccountsRequest())),
    Case("ListWaitingDemands", same(pb.ListWaitingDemandsRequest())),
    Case("GetBook", same(pb.GetBookRequest())),
    Case("ListOperations", same(ops.ListOperationsRequest())),
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
    Case("ListProposals", same(pb.ListProposalsRequest(parent="rounds/-", party=A))),
    Case("WatchProposals", same(pb.WatchProposalsRequest(party=A))),
    Case(
        "AcceptProposal",
        lambda s: pb.AcceptProposalRequest(name=s.proposal, party=A, terms_version=99),
        "TERMS_CHANGED",
    ),
    Case(
        "BatchAcceptProposals",  # its one part is refused: TERMS_CHANGED
        lambda s: pb.BatchAcceptProposalsRequest(
            requests=[pb.AcceptProposalRequest(name=s.proposal, party=A, terms_version=99)]
        ),
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
